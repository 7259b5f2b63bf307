"""The oasst JSON Lines format: trees and flat messages, read, written, walked and anonymised.

Knows nothing of Django or the database. Fields and their meaning: docs/data-format.md.
"""

from tasks_app.export_format.anonymizing import Anonymizer
from tasks_app.export_format.conversations import (
    answered_threads,
    preference_rows,
    sft_rows,
    tied_replies,
    turns,
)
from tasks_app.export_format.files import (
    BadLine,
    Watch,
    Writable,
    count_lines,
    open_output,
    read_objects,
    read_trees,
    write_objects,
)
from tasks_app.export_format.nodes import (
    ROLES,
    LabelMean,
    MessageNode,
    MessageTree,
    node_to_json,
    rewrite_texts,
    sort_replies,
    tree_to_json,
    tree_to_rows,
    visit_messages,
    visit_threads,
)
from tasks_app.export_format.parsing import FormatError, node_from_json, tree_from_json
from tasks_app.export_format.tables import write_table

__all__ = [
    "ROLES",
    "SCHEMA_VERSION",
    "Anonymizer",
    "BadLine",
    "FormatError",
    "LabelMean",
    "MessageNode",
    "MessageTree",
    "Watch",
    "Writable",
    "answered_threads",
    "count_lines",
    "node_from_json",
    "node_to_json",
    "open_output",
    "preference_rows",
    "read_objects",
    "read_trees",
    "rewrite_texts",
    "sft_rows",
    "sort_replies",
    "tied_replies",
    "tree_from_json",
    "tree_to_json",
    "tree_to_rows",
    "turns",
    "visit_messages",
    "visit_threads",
    "write_objects",
    "write_table",
]

# Raise it when a reader of the old version would misread a file of the new one.
SCHEMA_VERSION = 1
