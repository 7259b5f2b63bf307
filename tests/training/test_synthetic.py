"""Answers of people and models become trees in which nothing tells them apart."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from tasks_app.export_format import MessageTree, tree_from_json, tree_to_json
from training.prompt_files import Prompt
from training.report import ModelReport, Output, Result
from training.synthetic import Case, Reply, originals, replies, trees

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BREAD = Prompt("bread", ({"role": "user", "content": "How do I bake bread?"},), "en")
HUMAN = Reply("With flour and patience.", author="somebody")
NEW = Reply("Bake it.", "new-model")
OLD = Reply("I am bread.", "old-model")


def grow(*given: Reply, prompt: Prompt = BREAD, origin: str = "round 1") -> list[MessageTree]:
    return list(trees([Case(prompt, given)], origin=origin, now=NOW))


def test_tree_holds_every_reply_once_with_its_origin() -> None:
    (tree,) = grow(HUMAN, NEW, OLD)

    found = {
        node.text: (node.synthetic, node.model_name, node.user_id) for node in tree.prompt.replies
    }
    assert found == {
        "With flour and patience.": (False, None, "somebody"),
        "Bake it.": (True, "new-model", None),
        "I am bread.": (True, "old-model", None),
    }
    assert (tree.prompt.text, tree.tree_state, tree.origin) == (BREAD.text, "ranking", "round 1")


def test_replies_differ_in_text_and_origin_alone() -> None:
    (tree,) = grow(HUMAN, NEW, OLD)

    bare = [
        replace(node, message_id="", text="", synthetic=False, model_name=None, user_id=None)
        for node in tree.prompt.replies
    ]
    assert bare[0] == bare[1] == bare[2]
    assert {uuid.UUID(node.message_id).version for node in tree.prompt.replies} == {5}


def test_order_and_ids_do_not_follow_the_origin() -> None:
    """Over many prompts each reply stands on each place about as often."""
    places = {"new-model": [0, 0, 0], "old-model": [0, 0, 0], None: [0, 0, 0]}
    for number in range(300):
        prompt = replace(BREAD, id=str(number))
        (tree,) = grow(HUMAN, NEW, OLD, prompt=prompt)
        by_id = sorted(tree.prompt.replies, key=lambda node: node.message_id)
        for place, node in enumerate(by_id):
            places[node.model_name][place] += 1

    assert min(min(counts) for counts in places.values()) > 70


def test_equal_texts_are_ranked_once_and_empty_ones_never() -> None:
    (tree,) = grow(HUMAN, NEW, Reply("Bake  it.", "old-model"), Reply("  ", "old-model"))

    assert sorted(node.text for node in tree.prompt.replies) == ["Bake it.", HUMAN.text]


def test_characters_that_cannot_be_stored_are_left_out() -> None:
    (tree,) = grow(HUMAN, Reply("Ba\x00ke\tit.\r\n\x1b", "new-model"), Reply("\x00", "old-model"))

    assert sorted(node.text for node in tree.prompt.replies) == ["Bake\tit.", HUMAN.text]


def test_nothing_to_rank_makes_no_tree() -> None:
    long = replace(BREAD, messages=(*BREAD.messages, {"role": "user", "content": "And then?"}))

    assert grow(NEW) == []
    assert grow(NEW, Reply("Bake it.", "old-model")) == []
    assert grow(NEW, HUMAN, prompt=long) == []


def test_same_origin_and_prompt_give_the_same_ids() -> None:
    assert grow(HUMAN, NEW) == grow(HUMAN, NEW)
    assert grow(HUMAN, NEW)[0].message_tree_id != grow(HUMAN, NEW, origin="round 2")[0]


def test_tree_survives_its_file() -> None:
    (tree,) = grow(HUMAN, NEW)

    assert tree_from_json(tree_to_json(tree)) == tree


def test_best_answers_of_a_model_become_its_replies() -> None:
    outputs = [Output("first", is_kept=False), Output("second", is_kept=True)]
    scored = ModelReport("new", [BREAD], [[Result("k50", {}, outputs)]])
    unscored = ModelReport("old", [BREAD], [[Result("k50", {}, [Output("a"), Output("b")])]])

    found = replies([scored, unscored], 0)

    assert found == [Reply("second", "new"), Reply("a", "old"), Reply("b", "old")]


def test_copies_are_known_by_the_tree_they_are_of() -> None:
    of_a_tree = Case(BREAD, [HUMAN, NEW], "tree-7")
    alone = Case(replace(BREAD, id="other"), [HUMAN, NEW])

    made = list(trees([of_a_tree, alone], origin="round 1", now=NOW))

    known = originals([of_a_tree, alone], origin="round 1")
    assert known == {made[0].message_tree_id: "tree-7"}
