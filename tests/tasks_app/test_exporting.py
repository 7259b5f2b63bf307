"""What an export tells, what it leaves out, and that it can be read back."""

import gzip
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from tasks_app import interactions, reactions
from tasks_app.config import overridden
from tasks_app.enums import LabelKind, TaskType, TreeState
from tasks_app.export_format import Anonymizer, MessageTree, visit_messages
from tasks_app.export_format import read_trees as read_file
from tasks_app.exporting import Format, Selection, Telling, count_trees, export
from tasks_app.importing import import_trees
from tasks_app.models import ImportedLabelAggregate, Message, TextLabels
from tests import factories
from tests.factories import NOW, Grown, alice, bob, grow, hand_out

Row = dict[str, Any]
READY = TreeState.READY_FOR_EXPORT
EVERYTHING = Selection(states=(), deleted=None, accepted=None, synthetic=None)

pytestmark = pytest.mark.django_db


def rows(
    selection: Selection = Selection(),  # noqa: B008
    file_format: Format = Format.TREES,
    **telling: Any,
) -> list[Row]:
    stream = BytesIO()
    export(stream, file_format, selection, Telling(**telling))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def texts(row: Row) -> list[int]:
    """Places in the drawing of a tree's messages, depth first."""
    found = []
    waiting = [row["prompt"]]
    while waiting:
        node = waiting.pop()
        found.append(int(node["text"].split()[1]))
        waiting.extend(reversed(node["replies"]))
    return found


def rank(grown: Grown, **ranks: int) -> None:
    for place, value in ranks.items():
        Message.objects.filter(pk=grown[int(place[1:])].pk).update(rank=value)


def test_export_tells_each_field_as_published_files_do() -> None:
    root = grow("P", state=READY, author=alice()).root
    Message.objects.update(emojis={"clap": 1, "+1": 2}, detoxify={"x": 0.5})

    (row,) = rows()

    prompt = row.pop("prompt")
    assert row == {"message_tree_id": str(root.pk), "tree_state": "ready_for_export"}
    assert prompt == {
        "message_id": str(root.pk),
        "user_id": str(alice().pk),
        "created_date": root.created_at.isoformat(),
        "text": root.text,
        "role": "prompter",
        "lang": "en",
        "review_count": 3,
        "review_result": True,
        "deleted": False,
        "synthetic": False,
        "emojis": {"+1": 2, "clap": 1},
        "replies": [],
        "detoxify": {"x": 0.5},
    }


def test_export_orders_replies_by_rank_and_unranked_ones_last() -> None:
    rank(grow("P(A A A)", state=READY), m2=1, m3=0)

    assert texts(rows()[0]) == [0, 3, 2, 1]


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (Selection(), [0, 1, 2]),
        (Selection(deleted=None), [0, 1, 2, 4, 5]),
        (Selection(accepted=None), [0, 1, 2, 3, 6]),
        (EVERYTHING, [0, 1, 2, 3, 4, 5, 6]),
        (Selection(prompts_only=True), [0]),
    ],
)
def test_export_leaves_out_messages_and_all_below_them(
    selection: Selection, kept: list[int]
) -> None:
    grow("P(A(P) A- Ax(P) A?)", state=READY)

    assert texts(rows(selection)[0]) == kept


def test_export_tells_no_verdict_of_fewer_than_three_reviews() -> None:
    grow("P(A-2 A-)", state=READY)

    few, enough = rows(EVERYTHING)[0]["prompt"]["replies"]

    assert "review_result" not in few
    assert enough["review_result"] is False


def test_export_selects_trees_by_state_language_and_number() -> None:
    ready = grow("P", state=READY)
    german = grow("P", state=READY, lang="de")
    growing = grow("P(A?)")

    def ids(**options: Any) -> set[str]:
        return {row["message_tree_id"] for row in rows(Selection(**options))}

    assert ids() == {str(ready.tree.pk), str(german.tree.pk)}
    assert ids(langs=("de",)) == {str(german.tree.pk)}
    assert ids(states=(TreeState.GROWING,)) == {str(growing.tree.pk)}
    assert len(ids(states=())) == 3
    assert len(ids(states=(), limit=2)) == 2
    assert count_trees(Selection(states=(), limit=2)) == 2


def test_export_leaves_out_trees_with_a_synthetic_message() -> None:
    mixed = grow("P(A A)", state=READY)
    Message.objects.filter(pk=mixed[1].pk).update(synthetic=True, model_name="parrot-1")

    assert rows() == []
    (row,) = rows(Selection(synthetic=None))
    assert row["prompt"]["replies"][0]["model_name"] == "parrot-1"


@pytest.mark.parametrize(
    ("selection", "places"),
    [
        (Selection(deleted=True), [3]),
        (Selection(accepted=False), [2]),
        (Selection(synthetic=True), [4]),
    ],
)
def test_export_of_single_messages_is_flat(selection: Selection, places: list[int]) -> None:
    grown = grow("P(A A- Ax A)", state=READY)
    Message.objects.filter(pk=grown[4].pk).update(synthetic=True)

    found = rows(selection, Format.MESSAGES)

    assert [row["text"] for row in found] == [grown[place].text for place in places]
    assert found[0]["message_tree_id"] == str(grown.tree.pk)
    assert "replies" not in found[0]


def test_export_of_one_person_takes_trees_of_every_state() -> None:
    grow("P(A)", authors={1: alice()})
    grow("P(A)", state=READY, author=bob())

    imported = grow("P(A)", state=READY)
    Message.objects.filter(pk=imported[1].pk).update(imported_author=str(alice().pk))

    found = rows(Selection(states=(), author=alice().pk), Format.MESSAGES)

    assert [row["user_id"] for row in found] == [str(alice().pk)] * 2


def test_export_of_messages_is_depth_first() -> None:
    grown = grow("P(A(P) A)", state=READY)

    found = rows(file_format=Format.MESSAGES)

    assert [row["message_id"] for row in found] == [str(message.pk) for message in grown]
    assert {row["tree_state"] for row in found} == {"ready_for_export"}


def label(message: Message, name: str, kind: LabelKind, **values: float) -> None:
    TextLabels.objects.create(
        message=message, user=factories.person(name), kind=kind, values=values, created_at=NOW
    )


def test_export_tells_label_means_over_all_sets_and_the_imported_ones() -> None:
    root = grow("P?0", state=READY).root
    label(root, "Alice", LabelKind.TASK, spam=0, quality=1)
    label(root, "Bob", LabelKind.FREE, quality=0.25)
    label(root, "Mona", LabelKind.REPORT, spam=1)
    published = {"quality": {"value": 0.5, "count": 2}, "old_label": {"value": 1, "count": 1}}
    ImportedLabelAggregate.objects.create(message=root, values=published)

    (row,) = rows(EVERYTHING, labels=True)

    assert row["prompt"]["labels"] == {
        "spam": {"value": 0.5, "count": 2},
        "quality": {"value": (1 + 0.25 + 2 * 0.5) / 4, "count": 4},
        "old_label": {"value": 1, "count": 1},
    }
    assert "labels" not in rows(EVERYTHING)[0]["prompt"]


def ranked_tree() -> Grown:
    """Alice and Bob ranked, with a tie, replaced marks and a report."""
    grown = grow("P(A A A)", state=TreeState.RANKING)
    first, second, third = (str(message.pk) for message in grown.messages[1:])
    for user, groups in (
        (alice(), [[second], [first, third]]),
        (bob(), [[second], [third, first]]),
    ):
        task = hand_out(user, TaskType.RANK_ASSISTANT_REPLIES)
        interactions.submit_ranking(task.pk, user, groups, now=NOW)
    reactions.react(grown.root.pk, alice(), "+1", now=NOW)
    reactions.report(grown.root.pk, bob(), "pii", "a phone number", now=NOW)
    return grown


def test_export_tells_single_votes_as_events() -> None:
    grown = ranked_tree()
    order = [str(grown[place].pk) for place in (2, 1, 3)]

    (row,) = rows(Selection(states=()), events=True)

    events = row["prompt"]["events"]
    assert events["emoji"] == [
        {"user_id": str(alice().pk), "emoji": "+1"},
        {"user_id": str(bob().pk), "emoji": "red_flag"},
    ]
    ranking = events["ranking"][0]
    assert (ranking["user_id"], ranking["ranked_message_ids"]) == (str(alice().pk), order)
    assert sorted(ranking["ranking"]) == [0, 1, 2]
    assert (ranking["groups"], ranking["not_rankable"]) == ([1, 2], False)
    assert events["report"] == [
        {"user_id": str(bob().pk), "report_type": "pii", "reason": "a phone number"}
    ]


def test_export_of_threads_for_training_ends_on_assistants() -> None:
    grown = grow("P(A(P P) A(P(A)) A-)", state=READY)

    found = rows(file_format=Format.SFT)

    assert [[turn["content"] for turn in row["messages"]] for row in found] == [
        [grown[place].text for place in thread] for thread in ([0, 1], [0, 4, 5, 6])
    ]
    assert [turn["role"] for turn in found[1]["messages"]] == ["user", "assistant"] * 2


def test_export_of_pairs_prefers_the_better_rank() -> None:
    grown = grow("P(A A A A)", state=READY)
    rank(grown, m1=2, m2=0, m3=1)

    found = rows(file_format=Format.PREFERENCE)

    pairs = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in found]
    assert pairs == [(grown[a].text, grown[b].text) for a, b in ((2, 3), (2, 1), (3, 1))]
    assert found[0]["prompt"] == [{"role": "user", "content": grown.root.text}]


@pytest.mark.parametrize("anonymizer", [None, Anonymizer("seed")])
def test_export_of_pairs_leaves_out_those_nobody_preferred(anonymizer: Anonymizer | None) -> None:
    with overridden(num_required_rankings=2):
        grown = ranked_tree()

    found = rows(file_format=Format.PREFERENCE, anonymizer=anonymizer)

    assert grown.refresh().tree.state == READY
    assert [row["chosen"][0]["content"] for row in found] == [grown[2].text] * 2


def test_export_anonymized_holds_no_id_of_the_database() -> None:
    grown = ranked_tree()
    Message.objects.update(text="No id in here.")
    people = [str(user.pk) for user in (alice(), bob())]
    ids = [str(message.pk) for message in grown]

    def written(seed: str) -> str:
        return json.dumps(rows(Selection(states=()), events=True, anonymizer=Anonymizer(seed)))

    assert not [key for key in people + ids if key in written("seed")]
    assert written("seed") == written("seed") != written("other")


def test_export_of_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    grow("P(A(P) A- Ax)", state=READY, author=alice())
    ranked_tree()
    files = [tmp_path / name for name in ("one.jsonl.gz", "two.jsonl.gz")]

    for path in files:
        run("--out", str(path), "--state", "all", "--labels", "--events", "--include-spam")

    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(gzip.decompress(files[0].read_bytes()).splitlines()) == 2


def test_export_asks_the_same_number_of_queries_however_many_trees(
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(3):
        grow("P(A A)", state=READY)

    with django_assert_max_num_queries(9):
        assert len(rows(labels=True, events=True)) == 3


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("export_trees", *arguments, stdout=out)
    return out.getvalue()


def test_command_writes_a_table_in_the_published_layout(tmp_path: Path) -> None:
    grown = grow("P(A)", state=READY)
    Message.objects.filter(pk=grown.root.pk).update(emojis={"+1": 2})
    path = tmp_path / "messages.parquet"

    out = run("--out", str(path), "--format", "parquet", "--labels")

    assert out == f"Exported 1 trees as 2 parquet to {path}.\n"
    table = parquet.read_table(path)
    root, reply = table.to_pylist()
    assert root["emojis"] == {"name": ["+1"], "count": [2]}
    assert root["labels"] == {"name": ["spam"], "value": [0.0], "count": [3]}
    assert (reply["parent_id"], reply["emojis"]) == (root["message_id"], None)
    assert table.schema.metadata[b"oasst_schema_version"] == b"1"


def test_command_replaces_personal_data_and_counts_it(tmp_path: Path) -> None:
    grown = grow("P(A)", state=READY)
    Message.objects.filter(pk=grown[1].pk).update(text="Write to ann@mail.org!")
    path = tmp_path / "messages.jsonl"

    out = run("--out", str(path), "--format", "messages", "--scrub-pii")

    assert "Write to [e-mail]!" in path.read_text()
    assert "ann@" not in path.read_text()
    assert "Replaced: 1 e-mail, 0 IBAN" in out


def test_command_without_a_file_writes_to_the_terminal(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    grow("P", state=READY)

    run()

    assert json.loads(capsysbinary.readouterr().out)["tree_state"] == "ready_for_export"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--user", "11111111-1111-1111-1111-111111111111", "--state", "all"], "--state"),
        (["--spam-only", "--format", "sft"], "single messages"),
        (["--format", "parquet"], "--out"),
        (["--limit", "-1"], "--limit"),
        (["--out", "/no/such/folder/file.jsonl"], "No such file"),
        (["--include-spam", "--spam-only"], "not allowed with"),
        (["--state", "nonsense"], "invalid choice"),
    ],
)
def test_command_refuses_options_that_make_no_sense(arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(*arguments)


FILES = ["oasst1_en_validation", "oasst2_multilingual", "oasst_early_en_100"]
COMPARED = (
    "message_id", "text", "role", "lang", "parent_id", "rank", "review_result", "review_count",
    "deleted", "labels", "emojis", "synthetic", "model_name", "detoxify",
)  # fmt: skip


def read(path: Path) -> dict[str, tuple[str | None, list[tuple[Any, ...]]]]:
    """State and messages of each tree, replies in the order of exports."""
    found = {}
    for tree in read_file(path):
        assert isinstance(tree, MessageTree)
        for node in visit_messages(tree.prompt):
            node.replies.sort(key=lambda reply: reply.message_id)
        messages = [
            tuple(getattr(node, name) for name in COMPARED) for node in visit_messages(tree.prompt)
        ]
        found[tree.message_tree_id] = (tree.tree_state, messages)
    return found


@pytest.mark.real_data
@pytest.mark.parametrize("flat", [False, pytest.param(True, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", FILES)
def test_published_trees_come_out_as_they_went_in(
    data_folder: Path, tmp_path: Path, name: str, flat: bool
) -> None:
    source = data_folder / "oasst" / f"{name}.dev.trees.jsonl.gz"
    import_trees(source, now=NOW, on_bad=pytest.fail)
    out = tmp_path / "again.jsonl.gz"
    options = ["--state", "all", "--include-spam", "--include-deleted", "--include-synthetic"]

    run("--out", str(out), "--labels", "--format", "messages" if flat else "trees", *options)

    assert read(out) == read(source)
