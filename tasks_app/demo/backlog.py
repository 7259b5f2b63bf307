"""Imports the stories that come from elsewhere: trees that wait to be ranked, some replies written
by a model. They take the way every file takes."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks_app import export_format, importing
from tasks_app.demo.accounts import NAMESPACE
from tasks_app.demo.content import Line, Story
from tasks_app.enums import Role, TreeState

FILE_NAME = "demonstration.jsonl"
REVIEWS = 3


def import_backlog(stories: Sequence[Story], *, seed: int, now: datetime) -> None:
    """Put `stories` into the ranking backlog. Raises ValueError if one does not fit the format."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        with export_format.open_output(path) as stream:
            rows = (export_format.tree_to_json(_tree(story, seed, now)) for story in stories)
            export_format.write_objects(stream, rows)
        importing.import_trees(path, now=now, on_bad=_refuse, state=TreeState.BACKLOG_RANKING)


def _refuse(bad: export_format.BadLine) -> None:
    raise ValueError(f"{FILE_NAME}:{bad.number}: {bad.reason}")


def _tree(story: Story, seed: int, now: datetime) -> export_format.MessageTree:
    root = _node(story.prompt, Role.PROMPTER, None, story.lang, f"{seed}/{story.key}", now)
    return export_format.MessageTree(root.message_id, TreeState.BACKLOG_RANKING, root)


def _node(
    line: Line, role: Role, parent_id: str | None, lang: str, key: str, now: datetime
) -> export_format.MessageNode:
    """`key` is the place of the message and gives its id."""
    own_id = str(uuid.uuid5(NAMESPACE, key))
    labels = {"spam": 0.0, **line.labels}
    return export_format.MessageNode(
        message_id=own_id,
        parent_id=parent_id,
        user_id=line.author or None,
        created_date=now,
        text=line.text,
        role=role,
        lang=lang,
        review_count=REVIEWS,
        review_result=True,
        synthetic=bool(line.model),
        model_name=line.model or None,
        labels={n: export_format.LabelMean(float(v), REVIEWS) for n, v in labels.items()},
        replies=[
            _node(reply, role.other, own_id, lang, f"{key}/{number}", now)
            for number, reply in enumerate(line.replies)
        ],
    )
