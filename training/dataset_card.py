"""The README of a snapshot, in the hub's format for dataset cards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

# Upper bounds of the hub's size categories.
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

LEFT_OUT = {
    "phrase": "it has a phrase of few people that decides which reply wins",
    "copy": "nearly the same text answers other prompts",
    "author": "much else of its author was left out",
    "influence": "its author took part in deciding too much",
    "below": "it answers a message that was left out",
}

BODY = """
# {name}

Conversation trees, written, reviewed and ranked by people: a frozen copy of one moment.

| | |
|---|---|
| SHA-256 of its lines | `{sha256}` |
| trees | {trees} |
| messages | {messages} ({synthetic} written by models) |
| replies with a rank | {ranked_replies}, from {rankings} rankings |
| trees from chats, with their owners' consent | {from_chats} |
| made | {created_at} |
| licence | {licence} |

## Files

- `trees.jsonl.gz`: one tree a line, the messages nested as replies; what the hash is of
- `messages.parquet`: the same messages, one a row
- `snapshot.json`: hash, filter, counts, agreement
- `removed.jsonl`: what the data gate left out, and why
- `lines.txt`: a short hash of each line; `manage.py snapshot verify` says by it which one differs

## Languages

| language | messages |
|---|---|
{languages}

## Topics

{topics}

## Agreement of the people who judged

| what | value | judged |
|---|---|---|
{agreement}

Krippendorff's alpha of labels, mean Kendall's tau of rankings of the same replies: 1 is full
agreement, 0 what chance gives. No value means that too little was judged twice.

## What was left out

{gate}

## Personal data

| what | found | in messages |
|---|---|---|
{personal}

A scan for patterns, not a promise: it knows no names, and takes some numbers for what they are not.
{scrubbed}

## How it was chosen

```yaml
{filter}```

The same data and the same filter give the same hash. Ids of people are replaced; reports,
addresses and who reviewed what are not in it. Texts may still say something about their authors,
who may ask for them to be removed: a snapshot that holds such a text is marked as superseded.
"""


def render(facts: Mapping[str, Any]) -> str:
    """The card of a snapshot.json."""
    counts, filter_yaml = facts["counts"], yaml.safe_dump(facts["filter"], sort_keys=False)
    values = {name: f"{value:,}" for name, value in counts.items() if isinstance(value, int)}
    known = ("name", "sha256", "created_at", "licence")
    return _front_matter(facts) + BODY.format(
        **values,
        **{name: facts[name] for name in known},
        languages="\n".join(f"| {lang} | {n:,} |" for lang, n in counts["languages"].items()),
        topics=_topics(counts.get("topics", {})),
        gate=_gate(facts),
        scrubbed=_scrubbed(facts),
        personal="\n".join(
            f"| {kind} | {row['found']:,} | {row['messages']:,} |"
            for kind, row in facts["personal_data"].items()
        ),
        agreement="\n".join(_agreement(name, row) for name, row in facts["agreement"].items()),
        filter=filter_yaml,
    )


def _topics(counts: Mapping[str, int]) -> str:
    """What the trees are about; snapshots of before do not tell."""
    if not counts:
        return "No tree has one."
    rows = [f"| {topic} | {n:,} |" for topic, n in counts.items()]
    return "\n".join(["| topic, up to three a tree | trees |", "|---|---|", *rows])


def _gate(facts: Mapping[str, Any]) -> str:
    if facts["filter"]["gate"] is None:
        return "Nothing: the data gate was switched off."
    removed = facts["counts"]["removed"]
    rows = [f"| {why} | {removed[reason]:,} |" for reason, why in LEFT_OUT.items()]
    return "\n".join(["| why | messages |", "|---|---|", *rows])


def _scrubbed(facts: Mapping[str, Any]) -> str:
    """What was replaced before the texts were written, if that was asked for."""
    counts = facts.get("scrubbed")
    if counts is None:
        return "Nothing of it was replaced."
    told = ", ".join(f"{n:,} {kind}" for kind, n in counts.items())
    return f"It ran over texts in which `[e-mail]`, `[phone]` … stand for what was found: {told}."


def _agreement(name: str, row: Mapping[str, Any]) -> str:
    value = "not enough data" if row["value"] is None else f"{row['value']:.2f}"
    return f"| {name} | {value} | {row['n']:,} |"


def _front_matter(facts: Mapping[str, Any]) -> str:
    languages = [lang for lang in facts["counts"]["languages"] if lang != "und"]
    front = {
        "license": facts["licence"].lower(),
        "language": languages,
        "pretty_name": facts["name"],
        "size_categories": [_size(facts["counts"]["messages"])],
        "task_categories": ["text-generation"],
        "tags": ["human-feedback", "conversation-trees"],
        "configs": [{"config_name": "messages", "data_files": "messages.parquet"}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n"


def _size(messages: int) -> str:
    return next((name for bound, name in SIZES if messages < bound), "1M<n<10M")
