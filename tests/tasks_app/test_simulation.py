"""Trees of files, played through the workflow, come out as they stand in the files."""

import gzip
import json
import os
import random
import uuid
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from oasst.accounts.models import User
from tasks_app.export_format import tree_from_json
from tasks_app.models import Message, MessageTree, Task
from tasks_app.simulation import Replay, Report, opinions, read_scripts
from tasks_app.simulation.opinions import Jury
from tasks_app.simulation.script import NotFinishable, Script
from tests.factories import NOW

JURY = Jury(reviews=3, threshold=0.6)
FULL = ("spam", "lang_mismatch", "quality", "pii", "toxicity")

Row = dict[str, Any]


def message(*replies: Row, text: str = "", **more: Any) -> Row:
    """A message of the file; accepted unless said otherwise."""
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{text}{[r['message_id'] for r in replies]}"))
    row = {"message_id": key, "text": text or key, "lang": "en", "review_result": True}
    return row | {"replies": list(replies)} | more


def tree(prompt: Row, state: str = "ready_for_export") -> Row:
    """Roles and parents follow from the places."""
    waiting = [(prompt, 0)]
    while waiting:
        row, depth = waiting.pop()
        row["role"] = "assistant" if depth % 2 else "prompter"
        waiting.extend((reply, depth + 1) for reply in row["replies"])
    return {"message_tree_id": prompt["message_id"], "tree_state": state, "prompt": prompt}


def rich_tree(name: str = "a") -> Row:
    """Ranked, rejected, deleted and undecided messages in one tree."""
    lost = message(
        message(text=f"{name} below the deleted"),
        message(text=f"{name} undecided", review_result=None, deleted=True),
        text=f"{name} deleted",
        deleted=True,
    )
    lost["replies"][0]["deleted"] = True
    return tree(
        message(
            message(message(text=f"{name} why"), text=f"{name} good", rank=1),
            message(text=f"{name} better", rank=0),
            message(text=f"{name} spam", review_result=False),
            lost,
            text=f"{name} prompt",
        )
    )


def small_tree() -> Row:
    """A prompt with two ranked replies."""
    return tree(message(message(text="one", rank=0), message(text="two", rank=1), text="prompt"))


def save(folder: Path, *rows: Row) -> Path:
    path = folder / "trees.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def play(*paths: Path, contributors: int = 12, trolls: float = 0.0, seed: int = 3) -> Report:
    play = Replay(paths, contributors=contributors, trolls=trolls, seed=seed, now=NOW)
    return play.run()


# Scripts


def script(row: Row) -> Script:
    return Script(tree_from_json(row))


def test_limits_of_a_script_are_those_of_its_tree() -> None:
    assert script(rich_tree()).limits() == {
        "goal_tree_size": 4,
        "max_tree_depth": 2,
        "max_children_count": 4,
        "num_prompter_replies": 2,
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (tree(message(message(text="a")), state="growing"), "its state in the file is growing"),
        (tree(message(message(text="a", review_result=False))), "no accepted reply"),
        (tree(message(message(text="a"), deleted=True)), "rejected or deleted"),
        (tree(message(message(message(text="b"), text="a", review_result=None))), "never accepted"),
    ],
)
def test_script_of_a_tree_that_cannot_be_finished_is_refused(row: Row, reason: str) -> None:
    with pytest.raises(NotFinishable, match=reason):
        script(row)


def test_script_writes_what_gets_lost_first_and_holds_the_last_message_back() -> None:
    play = script(rich_tree())
    play.root.message_id = uuid.uuid4()

    written = []
    while line := play.next_below(play.root):
        line.message_id = uuid.uuid4()
        written.append(line.node.text)

    assert written == ["a spam", "a deleted"]
    lost = play.next_below(play.root.replies[3])
    assert lost is not None


def test_script_holds_messages_back_until_the_one_above_a_loss_is_written() -> None:
    above = message(message(text="spam", review_result=False), text="above")
    play = script(tree(message(message(text="one"), message(text="two"), above, text="prompt")))
    play.root.message_id = uuid.uuid4()

    written = []
    while line := play.next_below(play.root):
        line.message_id = uuid.uuid4()
        written.append(line.node.text)

    assert written == ["above", "one"]
    assert play.next_below(play.root.replies[2]) is not None


def test_script_has_the_deleted_removed_from_the_leaves_up() -> None:
    play = script(rich_tree())
    top = play.root.replies[3]
    for line in top.below():
        line.message_id = uuid.uuid4()
    top.decided = True
    assert list(play.removable()) == []

    for line in top.replies:
        line.decided = True
    assert list(play.removable()) == top.replies

    for line in top.replies:
        line.removed = True
    assert list(play.removable()) == [top]


# Opinions


class Never(random.Random):
    """Nobody makes a slip."""

    def random(self) -> float:
        return 1.0


def answers(**fields: Any) -> list[opinions.Labels]:
    """What three reviewers without slips answer to a message of the file."""
    line = script(tree(message(message(text="a", **fields), message(text="b")))).root.replies[0]
    return [opinions.review(line, turn, JURY, FULL, Never()) for turn in range(3)]


def test_reviewers_together_answer_the_published_means() -> None:
    labels = {
        "spam": {"value": 0.3, "count": 3},
        "quality": {"value": 0.5833, "count": 3},
        "pii": {"value": 0.67, "count": 3},
    }

    found = answers(labels=labels)

    assert [a["spam"] for a in found] == [1, 0, 0]
    assert [a["quality"] for a in found] == [0.75, 0.5, 0.5]
    assert [a["pii"] for a in found] == [1, 1, 0]
    assert "toxicity" not in found[0]


@pytest.mark.parametrize("spam", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("verdict", [True, False])
def test_reviewers_reach_the_verdict_of_the_file(verdict: bool, spam: float) -> None:
    labels = {name: {"value": spam, "count": 3} for name in ("spam", "lang_mismatch")}

    found = answers(labels=labels, review_result=verdict)

    objections = sum(a["spam"] + a["lang_mismatch"] for a in found)
    assert (objections <= 1) is verdict


def test_reviewers_of_an_unlabelled_message_approve() -> None:
    assert answers()[0] == {
        "spam": 0,
        "lang_mismatch": 0,
        "quality": 0.75,
        "pii": 0,
        "toxicity": 0,
    }


def test_slips_happen_at_their_chance() -> None:
    rng = random.Random(5)

    flips = Counter(opinions.approve(["pii"], rng)["pii"] for _ in range(4000))

    assert abs(flips[1.0] - 4000 * opinions.P_FLIP) < 60


def test_rankers_follow_the_file_and_put_strangers_last() -> None:
    play = script(rich_tree())
    worse, better, unranked, _ = play.root.replies
    shown = [("x", None), ("w", worse), ("u", unranked), ("b", better)]

    assert opinions.rank(shown, Never()) == [["b"], ["w"], ["u"], ["x"]]


def test_trolls_answer_anything_that_the_form_allows() -> None:
    rng = random.Random(5)
    for _ in range(50):
        values = opinions.at_random(FULL, ["spam"], rng)
        assert "spam" in values
        assert set(values) <= set(FULL)
        groups = opinions.rank_at_random(["a", "b", "c"], rng)
        assert sorted(key for group in groups for key in group) in ([], ["a", "b", "c"])


# Plays


def test_files_name_the_trees_that_cannot_be_played(tmp_path: Path) -> None:
    path = save(tmp_path, rich_tree(), tree(message(text="alone"), state="growing"))
    path.write_text(path.read_text() + "\n{")

    scripts, rest = read_scripts([path], contributors=9)
    none, too_few = read_scripts([path], contributors=8)

    assert (len(scripts), len(none)) == (1, 0)
    assert rest[0].reason == "its state in the file is growing"
    assert rest[1].id == "trees.jsonl:3"
    assert too_few[0].reason == "it needs 9 honest contributors"


@pytest.mark.slow
@pytest.mark.django_db
def test_replay_ends_as_the_file_says(tmp_path: Path) -> None:
    report = play(save(tmp_path, rich_tree()))

    assert (report.trees_in, report.trees_exported, report.trees_stuck) == (1, 1, 0)
    assert (report.messages_in, report.messages_out) == (8, 8)
    assert report.broken == []
    assert report.kendall_tau == 1
    found = dict(Message.objects.filter(deleted=False).values_list("text", "review_result"))
    assert found["a better"] is True
    assert found["a spam"] is False
    assert Message.objects.filter(text="a undecided", deleted=True, review_result=None).exists()


@pytest.mark.slow
@pytest.mark.django_db
def test_replay_of_the_same_seed_is_the_same_play(tmp_path: Path) -> None:
    path = save(tmp_path, rich_tree())

    reports, acts = [], []
    for _ in range(2):
        reports.append(replace(play(path, seed=3), interactions_per_s=0))
        done = Task.objects.order_by("created_at", "pk")
        acts.append(list(done.values_list("pk", "kind", "user", "done_at")))
        for model in (MessageTree, Task, User):
            model.objects.all().delete()

    assert reports[0] == reports[1]
    assert acts[0] == acts[1]


@pytest.mark.full
@pytest.mark.django_db
def test_replay_with_trolls_breaks_nothing_and_sticks_nowhere(tmp_path: Path) -> None:
    report = play(save(tmp_path, rich_tree("a")), contributors=18, trolls=0.5)

    assert (report.trees_stuck, report.invariants_broken) == (0, 0)
    assert Message.objects.filter(text__startswith="Cheap watches").exists()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_trees", *arguments, stdout=out)
    return out.getvalue()


def own_scratch_databases() -> set[str]:
    """Those of this process: other tests make and drop theirs meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'scratch_')")
        return {name for (name,) in cursor.fetchall() if name.endswith(f"_{os.getpid()}")}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_command_plays_in_a_database_of_its_own_and_drops_it(tmp_path: Path) -> None:
    path = save(tmp_path, small_tree())

    report = json.loads(run(str(path), "--contributors", "12", "--seed", "3", "--json"))

    assert (report["trees_in"], report["trees_exported"], report["messages_out"]) == (1, 1, 3)
    assert report["invariants_broken"] == 0
    assert report["not_finishable"] == []
    assert not MessageTree.objects.exists()
    assert own_scratch_databases() == set()


@pytest.mark.slow
@pytest.mark.django_db
def test_command_into_the_current_database_leaves_the_trees(tmp_path: Path) -> None:
    path = save(tmp_path, small_tree(), tree(message(text="alone"), state="growing"))

    out = run(str(path), "--contributors", "12", "--seed", "3", "--into-current")

    assert "trees_exported: 1\n" in out
    assert "its state in the file is growing" in out
    assert MessageTree.objects.get().state == "ready_for_export"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["absent.jsonl"], "No such file"),
        (["--contributors", "none"], "expected a number of people"),
        (["--trolls", "2"], "expected a share"),
    ],
)
def test_command_refuses_what_it_cannot_play(
    arguments: list[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=reason):
        run(*arguments, *([] if arguments[0] == "absent.jsonl" else [str(tmp_path / "x")]))


def test_command_refuses_a_file_without_finishable_trees(tmp_path: Path) -> None:
    path = save(tmp_path, tree(message(text="alone"), state="growing"))

    with pytest.raises(CommandError, match="no tree that can be finished"):
        run(str(path))


PUBLISHED = ("oasst1_en_validation", "oasst2_multilingual", "oasst_early_en_100")


def published(data_folder: Path, name: str) -> Path:
    return data_folder / "oasst" / f"{name}.dev.trees.jsonl.gz"


def check_all_came_out(report: Report) -> None:
    assert (report.trees_stuck, report.broken) == (0, [])
    assert report.trees_exported == report.trees_finishable
    assert report.messages_out == report.messages_in
    assert report.kendall_tau is not None
    assert report.kendall_tau >= 0.9


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.django_db
def test_some_published_trees_come_out_of_the_workflow_as_they_were(
    data_folder: Path, tmp_path: Path
) -> None:
    with gzip.open(published(data_folder, PUBLISHED[0]), "rt", encoding="utf-8") as lines:
        some = [line for line in lines if '"review_result": false' in line][:3]
    path = tmp_path / "some.jsonl"
    path.write_text("".join(some), encoding="utf-8")

    check_all_came_out(play(path, contributors=20, seed=1))


@pytest.mark.full
@pytest.mark.real_data
@pytest.mark.django_db(transaction=True)  # in one long transaction the offers' table would bloat
@pytest.mark.parametrize("name", PUBLISHED)
def test_all_published_trees_come_out_of_the_workflow_as_they_were(
    data_folder: Path, name: str
) -> None:
    report = play(published(data_folder, name), contributors=30, seed=1)

    assert report.trees_finishable > 50
    check_all_came_out(report)


@pytest.mark.full
@pytest.mark.real_data
@pytest.mark.django_db(transaction=True)  # in one long transaction the offers' table would bloat
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_trees_among_trolls_neither_break_nor_stick(data_folder: Path, name: str) -> None:
    report = play(published(data_folder, name), contributors=30, trolls=0.2, seed=1)

    assert (report.trees_stuck, report.broken) == (0, [])
