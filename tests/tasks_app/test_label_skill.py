"""How near somebody's labels are to the others': numbers worked out by hand."""

import pytest

from tasks_app import label_skill, labels
from tasks_app.label_skill import Known, LabelFit
from tasks_app.ranker_skill import RankerSkill

Votes = list[tuple[str, int, list[float | None]]]


def test_others_are_those_who_answered_the_same_label_of_the_same_message() -> None:
    # b is as far from the others' mean as none, a and c by 0.75: 0.75² · 2/3
    votes: Votes = [("a", 1, [0.0, None]), ("b", 1, [0.5, None]), ("c", 1, [1.0, 1.0])]

    found = label_skill.fit([*votes, ("d", 2, [1.0, 1.0])], 2)

    variance = 1 / 6
    assert found.spreads == [pytest.approx(variance), 0.0]
    assert found.mean.n == 3
    assert set(found.skills) == {"a", "b", "c"}
    prior = 1 - found.mean.agreement
    expected = variance + label_skill.STRENGTH
    assert found.skills["b"].agreement == pytest.approx(1 - prior / expected)
    assert found.skills["a"].agreement == pytest.approx(1 - (0.375 + prior) / expected)
    assert found.skills["c"] == found.skills["a"] == RankerSkill(found.skills["a"].agreement, 1)


def crowd(messages: int = 40) -> Votes:
    """Nine people who see which messages are good, and one who says the contrary."""
    votes: Votes = []
    for number in range(messages):
        good = float(number % 2)
        votes += [(f"person {who}", number, [good, 0.0]) for who in range(9)]
        votes.append(("contrary", number, [1 - good, 0.0]))
    return votes


def test_who_says_the_contrary_of_everybody_counts_little() -> None:
    found = label_skill.fit(crowd(), 2)

    contrary, mean = found.skills["contrary"], found.mean
    assert contrary.agreement == -1.0
    assert label_skill.weight(contrary, mean) < 0.1
    assert label_skill.is_doubtful(contrary, mean)
    assert {label_skill.weight(found.skills[f"person {who}"], mean) for who in range(9)} == {1.0}


def test_some_people_are_fitted_in_the_crowd_as_it_was() -> None:
    whole = label_skill.fit(crowd(), 2)
    known = Known(whole.mean, whole.spreads)

    some = label_skill.fit(crowd(), 2, known=known)

    assert some.skills == whole.skills
    assert label_skill.fit([], 2, known=known) == LabelFit({}, whole.mean, whole.spreads)


def test_weight_falls_with_the_squared_error_and_never_exceeds_one() -> None:
    mean = RankerSkill(0.6, 100)

    assert label_skill.weight(mean, mean) == 1.0
    assert label_skill.weight(RankerSkill(0.95, 50), mean) == 1.0
    assert label_skill.weight(RankerSkill(0.0, 50), mean) == pytest.approx(0.4)
    assert label_skill.weight(RankerSkill(-1.0, 50), mean) == pytest.approx(0.2)


def test_newcomer_is_near_the_mean_and_so_is_everybody_where_nothing_varies() -> None:
    newcomer: Votes = [("new", 0, [1.0, None])]
    silent: Votes = [(who, 99, [None, 0.0]) for who in ("shy", "quiet")]

    found = label_skill.fit([*crowd(), *newcomer, *silent], 2)

    assert label_skill.weight(found.skills["new"], found.mean) < 1
    assert not label_skill.is_doubtful(found.skills["new"], found.mean)
    assert found.skills["shy"].agreement == pytest.approx(found.mean.agreement)
    assert label_skill.fit([], 2).skills == {}


def test_only_who_differs_much_over_many_messages_is_doubtful() -> None:
    mean = RankerSkill(0.6, 100)

    assert label_skill.is_doubtful(RankerSkill(-0.2, label_skill.FEW), mean)
    assert not label_skill.is_doubtful(RankerSkill(-0.2, label_skill.FEW - 1), mean)
    assert not label_skill.is_doubtful(RankerSkill(0.3, 500), mean)


def test_every_label_shows_one_skill() -> None:
    named = [name for names in labels.SKILLS.values() for name in names]

    assert sorted(named) == sorted(labels.LABELS)
