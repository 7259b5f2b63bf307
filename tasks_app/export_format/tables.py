"""The table form of flat messages, as published data sets have it, in Parquet."""

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from tasks_app.export_format.files import Writable

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_GROUP = 2000
DETOXIFY = (
    "toxicity",
    "severe_toxicity",
    "obscene",
    "identity_attack",
    "insult",
    "threat",
    "sexual_explicit",
)


def write_table(stream: Writable, rows: Iterable[Mapping[str, Any]], *, version: int) -> int:
    """Write flat message objects as one Parquet file; how many there were.

    `labels` and `emojis` become parallel lists, absent fields null. Events are not told.
    """
    from pyarrow import parquet, system_memory_pool

    schema = _schema().with_metadata({"oasst_schema_version": str(version)})
    count = 0
    remaining = iter(rows)
    pool = system_memory_pool()  # pyarrow's own sets some 40 MiB aside
    with parquet.ParquetWriter(stream, schema, compression="zstd", memory_pool=pool) as writer:
        while group := [_columns(row) for row in islice(remaining, ROWS_PER_GROUP)]:
            writer.write_table(_table(group, schema, pool))
            count += len(group)
    return count


def _table(
    rows: list[dict[str, Any]], schema: "pyarrow.Schema", pool: "pyarrow.MemoryPool"
) -> "pyarrow.Table":
    """By way of JSON: pyarrow asks pandas about each list of Python objects, and that alone takes
    50 MiB of memory."""
    from pyarrow import BufferReader
    from pyarrow import json as arrow

    lines = "\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows).encode()
    return arrow.read_json(
        BufferReader(lines),
        read_options=arrow.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=arrow.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        ),
        memory_pool=pool,
    )


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    emojis, labels = row.get("emojis") or {}, row.get("labels") or {}
    lists = {
        "emojis": emojis and {"name": list(emojis), "count": list(emojis.values())},
        "labels": labels
        and {
            "name": list(labels),
            "value": [mean["value"] for mean in labels.values()],
            "count": [mean["count"] for mean in labels.values()],
        },
    }
    return dict(row) | {name: value or None for name, value in lists.items()}


def _schema() -> "pyarrow.Schema":
    import pyarrow as pa

    text, number, flag = pa.string(), pa.int32(), pa.bool_()
    names, counts = pa.list_(text), pa.list_(number)
    return pa.schema(
        [
            ("message_id", text),
            ("parent_id", text),
            ("user_id", text),
            ("created_date", text),
            ("text", text),
            ("role", text),
            ("lang", text),
            ("review_count", number),
            ("review_result", flag),
            ("deleted", flag),
            ("rank", number),
            ("synthetic", flag),
            ("model_name", text),
            ("detoxify", pa.struct([(name, pa.float64()) for name in DETOXIFY])),
            ("message_tree_id", text),
            ("tree_state", text),
            ("emojis", pa.struct([("name", names), ("count", counts)])),
            (
                "labels",
                pa.struct([("name", names), ("value", pa.list_(pa.float64())), ("count", counts)]),
            ),
        ]
    )
