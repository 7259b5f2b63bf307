"""Who agrees with whom, against numbers worked out by hand."""

import pytest

from tasks_app.agreement_pairs import Shared, most_active, pairs, same, tau, with_others

# Three people, messages 1 to 4. Ann and Ben share 1, 2, 3 and say the same of 1 and 3; Ann and Cem
# share 1 only and differ; Ben and Cem share 1 and 4 and say the same of 4.
VOTES = [
    ("ann", 1, 0.5), ("ben", 1, 0.5), ("cem", 1, 1.0),
    ("ann", 2, 0.0), ("ben", 2, 0.25),
    ("ben", 3, 1.0), ("ann", 3, 1.0),
    ("ben", 4, 0.0), ("cem", 4, 0.0),
]  # fmt: skip


def test_two_people_agree_by_the_share_of_equal_answers() -> None:
    assert pairs(VOTES, ["ben", "ann", "cem"], same) == {
        (0, 1): Shared(2 / 3, 3),
        (0, 2): Shared(1 / 2, 2),
        (1, 2): Shared(0, 1),
    }


def test_votes_of_others_count_for_nobody() -> None:
    assert pairs(VOTES, ["ann", "cem"], same) == {(0, 1): Shared(0, 1)}
    assert pairs(VOTES, ["ann"], same) == {}


def test_two_who_share_nothing_are_left_out() -> None:
    assert pairs([("ann", 1, 0.0), ("ben", 2, 0.0)], ["ann", "ben"], same) == {}


def test_orders_agree_by_mean_tau_and_ties_alone_say_nothing() -> None:
    votes = [
        ("ann", 1, [["a"], ["b"], ["c"]]), ("ben", 1, [["b"], ["a"], ["c"]]),
        ("ann", 2, [["a"], ["b"]]), ("ben", 2, [["b"], ["a"]]),
        ("ann", 3, [["a"], ["b"]]), ("ben", 3, [["a", "b"]]),
    ]  # fmt: skip

    # τ of the first is (2 − 1) / 3, of the second −1; of the third there is none.
    shared = pairs(votes, ["ann", "ben"], tau)[0, 1]

    assert (shared.mean, shared.n) == (pytest.approx((1 / 3 - 1) / 2), 2)


def test_who_voted_most_comes_first_and_ties_keep_an_order() -> None:
    assert most_active(VOTES, 3) == ["ben", "ann", "cem"]
    assert most_active(VOTES, 1) == ["ben"]
    assert most_active([("b", 1, 0), ("a", 1, 0)], 2) == ["a", "b"]


def test_agreement_with_the_others_weighs_each_by_what_is_shared() -> None:
    shared = pairs(VOTES, ["ben", "ann", "cem"], same)

    assert with_others(shared, 0) == Shared(3 / 5, 5)
    assert with_others(shared, 2) == Shared(1 / 3, 3)
    assert with_others({}, 0) is None
