"""The oasst format: what is read, what is refused, what is written."""

import gzip
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.export_format import (
    Anonymizer,
    BadLine,
    LabelMean,
    MessageNode,
    MessageTree,
    node_to_json,
    open_output,
    read_trees,
    sort_replies,
    tree_from_json,
    tree_to_json,
    tree_to_rows,
    visit_messages,
    visit_threads,
    write_objects,
)

Row = dict[str, Any]


def message(name: str, parent: str | None = None, **more: Any) -> Row:
    """A flat message of the tree "p"; names are drawn so that replies alternate by length."""
    role = "prompter" if len(name) % 2 else "assistant"
    row = {"message_id": name, "parent_id": parent, "text": f"text of {name}", "role": role}
    return row | {"message_tree_id": "p", "tree_state": "growing"} | more


def nested(name: str, *replies: Row, parent: str | None = None, **more: Any) -> Row:
    """A message with its replies inside."""
    for reply in replies:
        reply["parent_id"] = name
    row = message(name, parent, **more)
    del row["message_tree_id"], row["tree_state"]
    return row | {"replies": list(replies)}


def tree_row(prompt: Row | None = None) -> Row:
    prompt = prompt or nested("p", nested("pa", nested("paa"), nested("pab")), nested("pb"))
    return {"message_tree_id": "p", "tree_state": "growing", "prompt": prompt}


def save(folder: Path, *lines: Row | str | bytes, name: str = "file.jsonl") -> Path:
    parts = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    raw = b"".join((p.encode() if isinstance(p, str) else p) + b"\n" for p in parts)
    path = folder / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def ids(tree: MessageTree | BadLine) -> list[str]:
    assert isinstance(tree, MessageTree)
    return [node.message_id for node in visit_messages(tree.prompt)]


FLAT = [message("p"), message("pa", "p"), message("paa", "pa"), message("pb", "p")]


@pytest.mark.parametrize("name", ["file.jsonl", "file.jsonl.gz"])
def test_read_trees_of_tree_lines(tmp_path: Path, name: str) -> None:
    (tree,) = read_trees(save(tmp_path, tree_row(), name=name))

    assert ids(tree) == ["p", "pa", "paa", "pab", "pb"]
    assert isinstance(tree, MessageTree)
    assert (tree.tree_state, tree.line) == ("growing", 1)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_read_trees_of_flat_rows_in_any_order(tmp_path: Path, order: list[int]) -> None:
    (tree,) = read_trees(save(tmp_path, *(FLAT[n] for n in order)))

    assert sorted(ids(tree)) == ["p", "pa", "paa", "pb"]


def test_read_trees_of_two_interleaved_trees_yields_both(tmp_path: Path) -> None:
    other = message("q") | {"message_tree_id": "q"}
    reply = message("qa", "q") | {"message_tree_id": "q"}

    trees = list(read_trees(save(tmp_path, FLAT[0], other, FLAT[1], reply)))

    assert [ids(tree) for tree in trees] == [["p", "pa"], ["q", "qa"]]


def test_read_trees_of_the_table_form_converts_labels_and_emojis(tmp_path: Path) -> None:
    row = message(
        "p",
        emojis={"name": ["+1", "_skip_reply"], "count": [2, 1]},
        labels={"name": ["spam"], "value": [0.5], "count": [4]},
        rank=float("nan"),
    )

    (tree,) = read_trees(save(tmp_path, row))

    assert isinstance(tree, MessageTree)
    assert tree.prompt.emojis == {"+1": 2, "_skip_reply": 1}
    assert tree.prompt.labels == {"spam": LabelMean(0.5, 4)}
    assert tree.prompt.rank is None


def test_read_trees_refuses_flat_rows_deeper_than_any_conversation(tmp_path: Path) -> None:
    roles = ("prompter", "assistant")
    chain = [
        message(f"m{n}", f"m{n - 1}" if n else None, message_tree_id="m0", role=roles[n % 2])
        for n in range(102)
    ]

    found = list(read_trees(save(tmp_path, *chain, *FLAT)))

    assert ["nested deeper" in str(line) for line in found if isinstance(line, BadLine)] == [True]
    (whole,) = (tree for tree in found if isinstance(tree, MessageTree))
    assert sorted(ids(whole)) == ["p", "pa", "paa", "pb"]


def test_read_trees_leaves_out_rows_without_a_parent_and_keeps_the_rest(tmp_path: Path) -> None:
    rows = [*FLAT, message("lost", "nobody"), message("below", "lost")]

    *bad, tree = read_trees(save(tmp_path, *rows))

    assert [b.number for b in bad if isinstance(b, BadLine)] == [5, 6]
    assert "nobody" in str(bad[0])
    assert sorted(ids(tree)) == ["p", "pa", "paa", "pb"]


def test_read_trees_without_a_root_reports_every_row(tmp_path: Path) -> None:
    bad = list(read_trees(save(tmp_path, *FLAT[1:])))

    assert [type(b) for b in bad] == [BadLine] * 3


def test_read_trees_of_rows_in_a_circle_reports_them(tmp_path: Path) -> None:
    circle = [message("xa", "yab"), message("yab", "xa")]

    bad = list(read_trees(save(tmp_path, *circle)))

    assert [type(b) for b in bad] == [BadLine] * 2


def broken(**changes: Any) -> Row:
    return tree_row(nested("p", nested("pa", **changes)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        (b"\xff\xfe", "UTF-8"),
        ("[" * 100_000, "JSON"),
        ({"text": "no id"}, "neither"),
        ({"message_tree_id": "p"}, "prompt"),
        (message("p", text=None), "text: missing"),
        (broken(text=7), "text: expected str"),
        (broken(text="a\0b"), "NUL"),
        (broken(text="\ud800"), "Unicode"),
        (broken(role="user"), "role"),
        (broken(role="prompter"), "role"),
        (broken(message_id="p"), "twice"),
        (tree_row(nested("q")), "not that of its tree"),
        (tree_row(nested("p", parent="x")), "parent_id"),
        (broken(rank=-1), "rank"),
        (broken(rank=1.5), "rank"),
        (broken(review_count="3"), "review_count"),
        (broken(deleted="no"), "deleted"),
        (broken(created_date="yesterday"), "created_date"),
        (broken(created_date="0001-01-01T00:00:00+14:00"), "created_date"),
        (broken(emojis={"+1": -1}), "emojis"),
        (broken(emojis={"name": ["+1"], "count": []}), "same length"),
        (broken(labels={"spam": 1}), "labels.spam"),
        (broken(labels={"spam": {"value": 2, "count": 1}}), "labels.spam.value"),
        (broken(labels={"spam": {"value": float("nan"), "count": 1}}), "labels.spam.value"),
        (broken(detoxify={"insult": "much"}), "detoxify.insult"),
        (broken(detoxify={"insult": 10**400}), "detoxify.insult"),
        (broken(detoxify={"in\0sult": 0.5}), "detoxify: contains a NUL"),
        (broken(labels={"spam": {"value": 10**400, "count": 1}}), "labels.spam.value"),
        (broken(labels={"spa\ud800m": {"value": 1, "count": 1}}), "labels: not valid Unicode"),
        (broken(labels={"name": [7], "value": [1], "count": [1]}), "labels: expected names"),
        (broken(emojis={"\0": 1}), "emojis: contains a NUL"),
        (broken(events={"emoji": {}}), "events.emoji"),
        (tree_row(nested("p") | {"replies": [1]}), "replies"),
    ],
)
def test_read_trees_reports_a_bad_line_and_goes_on(
    tmp_path: Path, line: Row | str | bytes, reason: str
) -> None:
    good = [tree_row(nested("p"))]

    before, bad, after = read_trees(save(tmp_path, *good, line, *good))

    assert ids(before) == ids(after) == ["p"]
    assert isinstance(bad, BadLine)
    assert bad.number == 2
    assert reason in bad.reason


def test_read_trees_refuses_endless_nesting(tmp_path: Path) -> None:
    row = nested("x" * 121)
    for depth in range(120, 0, -1):
        row = nested("x" * depth, row)
    line = tree_row(row) | {"message_tree_id": "x"}

    (bad,) = read_trees(save(tmp_path, line))

    assert isinstance(bad, BadLine)
    assert "deeper" in bad.reason


def test_read_trees_of_a_cut_gzip_file_keeps_what_was_whole(tmp_path: Path) -> None:
    path = save(tmp_path, *([tree_row()] * 2000), name="cut.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-40])

    *trees, bad = read_trees(path)

    assert all(isinstance(tree, MessageTree) for tree in trees)
    assert isinstance(bad, BadLine)
    assert "damaged" in bad.reason


def test_read_trees_holds_one_tree_in_memory(tmp_path: Path) -> None:
    long = tree_row(nested("p", text="x" * 10_000))
    path = save(tmp_path, *([long] * 2000), name="big.jsonl.gz")

    tracemalloc.start()
    assert sum(1 for _ in read_trees(path)) == 2000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2_000_000


def test_tree_to_json_orders_keys_and_omits_what_is_empty() -> None:
    tree = tree_from_json(tree_row(nested("p", rank=None, emojis={}, lang="en", extra=1)))

    assert json.dumps(tree_to_json(tree)) == json.dumps(
        {
            "message_tree_id": "p",
            "tree_state": "growing",
            "prompt": {
                "message_id": "p",
                "text": "text of p",
                "role": "prompter",
                "lang": "en",
                "deleted": False,
                "synthetic": False,
                "replies": [],
            },
        }
    )


def test_tree_to_rows_are_read_back_as_the_same_tree(tmp_path: Path) -> None:
    tree = tree_from_json(tree_row())

    assert list(read_trees(save(tmp_path, *tree_to_rows(tree)))) == [tree]


def test_visit_threads_walks_depth_first_from_the_root() -> None:
    threads = visit_threads(tree_from_json(tree_row()).prompt)

    assert [".".join(node.message_id for node in thread) for thread in threads] == [
        "p",
        "p.pa",
        "p.pa.paa",
        "p.pa.pab",
        "p.pb",
    ]


def test_sort_replies_puts_ranks_first_and_unranked_last() -> None:
    prompt = nested("p", nested("pa"), nested("pb", rank=1), nested("pc", rank=0))
    tree = tree_from_json(tree_row(prompt))

    sort_replies(tree.prompt)

    assert [reply.message_id for reply in tree.prompt.replies] == ["pc", "pb", "pa"]


def write(path: Path, rows: Iterable[Row]) -> int:
    with open_output(path) as stream:
        return write_objects(stream, rows)


def test_write_objects_of_the_same_rows_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [tree_row(nested("p", text="Grüße, 你好"))]

    assert write(tmp_path / "one.jsonl.gz", rows) == 1
    write(tmp_path / "two.jsonl.gz", rows)
    write(tmp_path / "plain.jsonl", rows)

    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert "Grüße, 你好" in (tmp_path / "plain.jsonl").read_text("utf-8")


def test_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = save(tmp_path, "old")

    def rows() -> Iterator[Row]:
        yield tree_row()
        raise RuntimeError("database went away")

    with pytest.raises(RuntimeError):
        write(path, rows())

    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_open_output_shows_nothing_until_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"

    with open_output(path) as stream:
        stream.write(b"half")
        assert not path.exists()

    assert path.read_bytes() == b"half"


def secret_tree() -> MessageTree:
    ranking = {
        "user_id": "alice",
        "ranked_message_ids": ["pb", "pa"],
        "ranking_parent_id": "p",
        "message_tree_id": "p",
    }
    prompt = nested(
        "p",
        nested("pa", user_id="bob"),
        nested("pb"),
        user_id="alice",
        events={"ranking": [ranking]},
    )
    return tree_from_json(tree_row(prompt))


def test_anonymizer_replaces_every_id_and_keeps_what_refers_to_what() -> None:
    tree = secret_tree()

    Anonymizer("seed").tree(tree)

    event = tree.prompt.events["ranking"][0]
    replies = {reply.message_id for reply in tree.prompt.replies}
    assert tree.message_tree_id == tree.prompt.message_id == event["ranking_parent_id"]
    assert tree.prompt.message_id == event["message_tree_id"] == tree.prompt.replies[0].parent_id
    assert set(event["ranked_message_ids"]) == replies
    assert event["user_id"] == tree.prompt.user_id
    written = [v for v in json.dumps(tree_to_json(tree)).split('"') if v]
    assert not {"p", "pa", "pb", "alice", "bob"} & set(written)


def test_anonymizer_repeats_itself_with_a_seed_and_differs_with_another() -> None:
    first, again, other = secret_tree(), secret_tree(), secret_tree()

    Anonymizer("seed").tree(first)
    Anonymizer("seed").tree(again)
    Anonymizer("another").tree(other)

    assert first == again
    assert not {*ids(first)} & {*ids(other)}


def test_anonymizer_tells_people_from_messages_of_the_same_id() -> None:
    anonymizer = Anonymizer("seed")

    assert anonymizer.user("x") != anonymizer.message("x")
    assert anonymizer.user(None) is None


# Hours that a change to summer time repeats are never equal to themselves in another zone.
LIMITS = datetime(1, 1, 2), datetime(9999, 12, 30)  # so that UTC has a year for each
FIXED_ZONES = [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]


def nodes(parent: str | None, depth: int) -> st.SearchStrategy[MessageNode]:
    """Random messages with random replies, ids made unique afterwards."""
    counts = st.none() | st.integers(0, 9)
    return st.builds(
        MessageNode,
        message_id=st.uuids().map(str),
        text=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        role=st.just("prompter" if depth % 2 == 0 else "assistant"),
        lang=st.none() | st.just("pt-BR"),
        created_date=st.none() | st.datetimes(*LIMITS, timezones=st.sampled_from(FIXED_ZONES)),
        review_count=counts,
        review_result=st.none() | st.booleans(),
        rank=counts,
        emojis=st.dictionaries(st.sampled_from(["+1", "poop"]), st.integers(1, 9)),
        labels=st.dictionaries(
            st.just("spam"), st.builds(LabelMean, st.floats(0, 1), st.integers(0, 9))
        ),
        replies=st.lists(nodes(None, depth + 1), max_size=2) if depth < 2 else st.just([]),
    )


@given(nodes(None, 0))
def test_any_tree_survives_being_written_and_read(prompt: MessageNode) -> None:
    for node in visit_messages(prompt):
        for reply in node.replies:
            reply.parent_id = node.message_id
    tree = MessageTree(prompt.message_id, None, prompt)

    assert tree_from_json(json.loads(json.dumps(tree_to_json(tree)))) == tree
    assert "replies" not in node_to_json(prompt, with_replies=False)


@pytest.mark.real_data
def test_published_trees_and_flat_messages_say_the_same(data_folder: Path) -> None:
    stem = "oasst/oasst1_en_validation.dev"
    both = []
    for kind in ("trees", "messages"):
        trees = list(read_trees(data_folder / f"{stem}.{kind}.jsonl.gz"))
        for tree in trees:
            assert isinstance(tree, MessageTree)
            sort_replies(tree.prompt)
        both.append(sorted(trees, key=lambda tree: tree.message_tree_id))  # type: ignore[union-attr]

    assert both[0] == both[1]
    assert len(both[0]) == 109
