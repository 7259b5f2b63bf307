"""What the data gate of snapshots leaves out, on drawn trees and on real ones with poison."""

from copy import deepcopy
from pathlib import Path
from random import Random
from statistics import fmean

import pytest

from tasks_app.export_format import MessageNode, MessageTree, read_trees, visit_messages
from tests.training import poison
from training import data_gate
from training.data_gate import GateRules, Removal, Verdict

FILES = ("oasst1_en_validation", "oasst2_multilingual", "oasst_early_en_100")


def tree(key: str, *replies: tuple[str, str]) -> MessageTree:
    """A prompt whose (author, text) replies stand in the order of their ranks."""
    prompt = MessageNode(message_id=key, text="How?", lang="en")
    prompt.replies = [
        MessageNode(f"{key}-{n}", key, author, text=text, role="assistant", lang="en", rank=n)
        for n, (author, text) in enumerate(replies)
    ]
    return MessageTree(key, "ready_for_export", prompt)


def examined(trees: list[MessageTree], rules: GateRules | None = None) -> Verdict:
    return data_gate.examine(lambda: trees, rules or GateRules())


# Real trees


@pytest.fixture(scope="module")
def real_trees(data_folder: Path) -> list[MessageTree]:
    """As a snapshot has them: finished trees without what was deleted or rejected."""
    kept = []
    for name in FILES:
        for found in read_trees(data_folder / "oasst" / f"{name}.dev.trees.jsonl.gz"):
            if isinstance(found, MessageTree) and found.tree_state in ("ready_for_export", None):
                for node in visit_messages(found.prompt):
                    node.replies = [
                        r for r in node.replies if not r.deleted and r.review_result is not False
                    ]
                kept.append(found)
    return kept


def removed_pairs(
    trees: list[MessageTree], verdict: Verdict, planted: dict[str, int]
) -> tuple[float, float]:
    """The shares of poisoned and of clean pairs that are gone."""
    gone = {True: 0, False: 0}
    found = {True: 0, False: 0}
    for root in trees:
        for node in visit_messages(root.prompt):
            ranked = [reply for reply in node.replies if reply.rank is not None]
            for pair in ((a, b) for a in ranked for b in ranked if a.rank < b.rank):
                ids = {reply.message_id for reply in pair}
                is_poison = bool(ids & planted.keys())
                found[is_poison] += 1
                gone[is_poison] += bool((ids | {node.message_id}) & verdict.removals.keys())
    return gone[True] / max(1, found[True]), gone[False] / found[False]


def planted_in(real_trees: list[MessageTree], seed: int) -> tuple[float, float]:
    trees = deepcopy(real_trees)
    planted = poison.plant(trees, 0.05, Random(seed))
    return removed_pairs(trees, examined(trees), planted)


@pytest.mark.slow
@pytest.mark.real_data
def test_planted_pairs_go_and_clean_ones_stay(real_trees: list[MessageTree]) -> None:
    poisoned, clean = planted_in(real_trees, seed=11)

    assert poisoned >= 0.8
    assert clean <= 0.02


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.real_data
def test_planted_pairs_go_whoever_plants_them(real_trees: list[MessageTree]) -> None:
    found = [planted_in(real_trees, seed) for seed in range(12, 21)]

    assert fmean(poisoned for poisoned, _ in found) >= 0.9
    assert min(poisoned for poisoned, _ in found) >= 0.7
    assert max(clean for _, clean in found) <= 0.02


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.real_data
def test_next_to_nothing_of_real_trees_goes(real_trees: list[MessageTree]) -> None:
    verdict = examined(real_trees)

    assert removed_pairs(real_trees, verdict, {})[1] <= 0.01
    assert verdict.counts()["copy"] == verdict.counts()["influence"] == 0


# Copies, people, weight

ADVICE = "Open our page and sign up: there you will find all answers and friendly people. No. {}"


def test_a_text_that_answers_everything_answers_nothing() -> None:
    trees = [tree(f"t{n}", ("trudy", ADVICE.format(n)), ("alice", f"Answer {n}")) for n in range(3)]

    assert examined(trees).removals == {f"t{n}-0": Removal("copy", "t0-0") for n in range(3)}
    assert examined(trees[:2]).removals == {}


def test_who_was_caught_is_not_believed_elsewhere() -> None:
    trees = [tree(f"t{n}", ("trudy", ADVICE.format(n)), ("alice", f"Answer {n}")) for n in range(3)]
    trees.append(tree("t4", ("trudy", "Something else"), ("bob", "An answer")))

    assert examined(trees).removals["t4-0"] == Removal("author")
    assert "t4-1" not in examined(trees).removals


def test_nobody_decides_more_than_their_share() -> None:
    trees = [tree(f"t{n}", ("bob", f"Good {n}"), (f"p{n}", f"Fair {n}")) for n in range(60)]

    found = examined(trees, GateRules(share=0.1, least=5))

    assert {why.reason for why in found.removals.values()} == {"influence"}
    # Half of each of sixty prompts is Bob's; six prompts are a tenth.
    assert len(found.removals) == 60 - 12
    assert all(key.endswith("-0") for key in found.removals)
    assert examined(trees[:40]).removals == {}  # 20 prompts' worth is everybody's


def test_what_models_wrote_has_no_author_to_suspect() -> None:
    trees = [tree(f"t{n}", ("trudy", ADVICE.format(n))) for n in range(3)]
    for found in trees:
        found.prompt.replies[0].synthetic = True

    assert examined(trees).removals == {}


# What is left


def test_ranks_and_rankings_close_up_where_a_reply_goes() -> None:
    left = tree("t", ("alice", "A"), ("trudy", "B"), ("bob", "C"))
    ids = ["t-0", "t-1", "t-2"]
    event = {"ranked_message_ids": ids, "ranking": [2, 0, 1], "groups": [2, 1]}
    left.prompt.events = {"ranking": [event]}

    assert data_gate.prune(left, Verdict({"t-1": Removal("copy")}))

    assert [(r.message_id, r.rank) for r in left.prompt.replies] == [("t-0", 0), ("t-2", 1)]
    assert event == {"ranked_message_ids": ["t-0", "t-2"], "ranking": [1, 0], "groups": [1, 1]}


def test_answers_to_what_goes_go_with_it() -> None:
    trees = [tree(f"t{n}", ("trudy", ADVICE.format(n))) for n in range(3)]
    below = MessageNode("below", "t0-0", "alice", text="Thank you")
    trees[0].prompt.replies[0].replies.append(below)

    verdict = examined(trees)

    assert verdict.removals["below"] == Removal("below", "t0-0")
    assert verdict.counts() == {"phrase": 0, "copy": 3, "author": 0, "influence": 0, "below": 1}
    untouched = tree("other", ("alice", "A"))
    assert not data_gate.prune(untouched, verdict)
    assert untouched == tree("other", ("alice", "A"))
