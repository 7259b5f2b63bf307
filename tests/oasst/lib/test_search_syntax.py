"""What is typed into the search box, taken apart."""

from datetime import date

import pytest

from oasst.lib.search.syntax import MOST_TERMS, Term, combine, day, parse

THERE = {"lang": ["de", "pt-BR"], "role": ["prompter", "assistant"], "state": ["accepted"]}


def texts(typed: str) -> list[list[str]]:
    """The terms by group, with a minus before those to leave out."""
    return [["-" * term.is_negated + term.text for term in group] for group in parse(typed).groups]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("rye bread", [["rye"], ["bread"]]),
        ('"rye bread"', [["rye bread"]]),
        ("„Guten Tag“ «mot à mot»", [["Guten Tag"], ["mot à mot"]]),
        ("bread -cake", [["bread"], ["-cake"]]),
        ('-"white bread"', [["-white bread"]]),
        ("rye OR wheat bread", [["rye", "wheat"], ["bread"]]),
        ("a | b | c", [["a", "b", "c"]]),
        ("or", [["or"]]),
        ("state-of-the-art", [["state-of-the-art"]]),
        ("https://example.org/a foo:bar", [["https://example.org/a"], ["foo:bar"]]),
        ("我爱猫", [["我爱猫"]]),
    ],
)
def test_words_and_operators(typed: str, expected: list[list[str]]) -> None:
    assert texts(typed) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", []),
        ("- -- \" '", []),
        ("& | ! :* ( )", []),
        ("OR bread OR", [["bread"]]),
        ("bread OR OR cake", [["bread", "cake"]]),
        ('an "open end', [["an"], ["open end"]]),
        ("lang: -state:", [["lang:"], ["-state:"]]),
        ('"lang:de"', [["lang:de"]]),
    ],
)
def test_what_makes_no_sense_is_no_error(typed: str, expected: list[list[str]]) -> None:
    assert texts(typed) == expected


def test_conditions_are_told_from_words() -> None:
    asked = parse('bread lang:de -Role:assistant after:"2026-01"')

    assert asked.groups == [[Term("bread")]]
    found = [(each.field, each.value, each.is_negated) for each in asked.conditions]
    assert found == [
        ("lang", "de", False),
        ("role", "assistant", True),
        ("after", "2026-01", False),
    ]
    assert asked.without(asked.conditions[0]) == 'bread -Role:assistant after:"2026-01"'


def test_where_there_are_no_fields_a_condition_is_a_word() -> None:
    assert parse("lang:de", fields=()).groups == [[Term("lang:de")]]


def test_more_terms_than_are_looked_at_are_left_out() -> None:
    asked = parse(" ".join(f"w{n}" for n in range(MOST_TERMS + 1)))

    assert (len(asked.groups), asked.is_cut) == (MOST_TERMS, True)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("lang:DE", {"lang": ["de"]}),
        ("lang:de lang:pt-br", {"lang": ["de", "pt-BR"]}),
        ("-lang:de", {"lang": ["pt-BR"]}),
        ("lang:de -lang:de", {"lang": []}),
        ("role:prompter state:accepted", {"role": ["prompter"], "state": ["accepted"]}),
        ("bread", {}),
    ],
)
def test_conditions_on_one_field_add_up(typed: str, values: dict[str, list[str]]) -> None:
    assert combine(parse(typed).conditions, THERE).values == values


def test_days_and_authors() -> None:
    found = combine(
        parse("author:me after:2026-01 after:2026-02-03 before:2027 before:2028").conditions, THERE
    )

    assert found.is_mine
    assert (found.after, found.before) == (date(2026, 2, 3), date(2027, 1, 1))


@pytest.mark.parametrize(
    "typed", ["lang:fr", "role:user", "author:bob", "-author:me", "after:soon", "before:2026-02-30"]
)
def test_conditions_that_say_nothing_are_told(typed: str) -> None:
    found = combine(parse(typed).conditions, THERE)

    assert [each.typed for each in found.misunderstood] == [typed]
    assert (found.values, found.is_mine, found.after, found.before) == ({}, False, None, None)


@pytest.mark.parametrize("text", ["", "1", "0026-01-01", "9999-01-01", "2026-13", "2026-1-1-1"])
def test_what_is_no_day(text: str) -> None:
    assert day(text) is None
