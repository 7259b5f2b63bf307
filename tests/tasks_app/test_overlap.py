"""Few votes where all is clear, more where people differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.dawid_skene import Skill
from tasks_app.overlap import MOST, Verdict, enough

GOOD, FAIR, GUESS = Skill(0.95, 0.95, 50), Skill(0.75, 0.75, 50), Skill(0.5, 0.5, 50)


def verdict(*votes: tuple[bool, Skill], prior: float = 0.5) -> Verdict:
    return enough(votes, prior=prior, threshold=0.95)


@pytest.mark.parametrize(
    ("votes", "wanted"),
    [
        ([], Verdict.MORE),
        ([(True, GOOD)], Verdict.MORE),  # sure enough, but one is nobody
        ([(True, GOOD), (True, GOOD)], Verdict.ACCEPT),
        ([(False, GOOD), (False, GOOD)], Verdict.REJECT),
        ([(True, GOOD), (False, GOOD)], Verdict.MORE),
        ([(True, FAIR), (True, FAIR)], Verdict.MORE),  # 9 / 10
        ([(True, FAIR)] * 3, Verdict.ACCEPT),  # 27 / 28
        ([(True, GUESS)] * 4, Verdict.MORE),
        ([(True, GUESS)] * 5, Verdict.ESCALATE),
        ([(True, FAIR), (False, FAIR)] * 2 + [(True, FAIR)], Verdict.ESCALATE),
    ],
)
def test_verdict(votes: list[tuple[bool, Skill]], wanted: Verdict) -> None:
    assert verdict(*votes) == wanted


def test_what_is_common_needs_fewer_votes_than_what_is_rare() -> None:
    assert verdict((True, FAIR), (True, FAIR), prior=0.9) == Verdict.ACCEPT
    assert verdict((False, FAIR), (False, FAIR), prior=0.9) == Verdict.MORE


skills = st.builds(Skill, st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.just(9))
ballots = st.lists(st.tuples(st.booleans(), skills), min_size=MOST, max_size=MOST)


@given(ballots)
def test_nobody_is_asked_after_the_last(votes: list[tuple[bool, Skill]]) -> None:
    assert verdict(*votes) != Verdict.MORE
