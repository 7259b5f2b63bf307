"""Trees as conversations: which replies nobody preferred to each other."""

from typing import Any

import pytest

from tasks_app import export_format
from tasks_app.export_format import MessageNode, MessageTree


def tree(ranks: dict[str, int | None], *rankings: dict[str, Any]) -> MessageTree:
    """A prompt with ranked replies, and the single rankings behind their ranks."""
    replies = [
        MessageNode(name, parent_id="p", role="assistant", text=name, rank=rank)
        for name, rank in ranks.items()
    ]
    prompt = MessageNode("p", replies=replies, events={"ranking": list(rankings)})
    return MessageTree("p", "ready_for_export", prompt)


def ranked(*ids: str, **more: Any) -> dict[str, Any]:
    return {"ranked_message_ids": list(ids), "not_rankable": False} | more


def tied(made: MessageTree) -> set[str]:
    return {"".join(sorted(pair)) for pair in export_format.tied_replies(made)}


def test_the_same_rank_is_a_tie_and_no_rank_is_none() -> None:
    assert tied(tree({"a": 0, "b": 1, "c": 1, "d": None, "e": None})) == {"bc"}


def test_as_many_for_as_against_is_a_tie() -> None:
    made = tree({"a": 0, "b": 1, "c": 2}, ranked("a", "b", "c"), ranked("b", "a", "c"))

    assert tied(made) == {"ab"}


def test_groups_of_one_ranking_do_not_count_for_either() -> None:
    groups = ranked("a", "b", "c", groups=[1, 2])

    assert tied(tree({"a": 0, "b": 1, "c": 2}, groups)) == {"bc"}
    assert tied(tree({"a": 0, "b": 1, "c": 2}, groups, ranked("a", "c", "b"))) == set()


def test_who_could_not_rank_is_not_asked() -> None:
    made = tree({"a": 0, "b": 1}, ranked("a", "b"), ranked("b", "a", not_rankable=True))

    assert tied(made) == set()


@pytest.mark.parametrize(
    "broken",
    [{"ranked_message_ids": None}, {"ranked_message_ids": "ab"}, {"ranked_message_ids": [["a"]]},
     ranked("b", "a", groups="no"), ranked("b", "a", groups=[None]), ranked("b", "a", groups=[])],
)  # fmt: skip
def test_what_is_no_ranking_is_passed_over(broken: dict[str, Any]) -> None:
    assert tied(tree({"a": 0, "b": 1}, ranked("a", "b"), broken)) == set()


def test_tied_replies_make_no_pair() -> None:
    made = tree({"a": 0, "b": 1, "c": 1})

    rows = export_format.preference_rows(made, export_format.tied_replies(made))

    assert [(row["chosen_id"], row["rejected_id"]) for row in rows] == [("a", "b"), ("a", "c")]
