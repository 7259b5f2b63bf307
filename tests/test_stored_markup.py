"""Texts that are markup, shown in every page of contributors and of the desk."""

from itertools import product

import pytest

from tests.hostile import (
    CANARY,
    READ_BY_CONTRIBUTORS,
    READ_BY_STAFF,
    TAG,
    WORK,
    Given,
    Injections,
    arrange,
    check,
    poison,
)


def test_check_finds_markup_of_others() -> None:
    for page in (TAG, "<a href='JavaScript:x'>", "<p onclick='canary()'>", "<style>canary</style>"):
        assert Injections(page).found != [], page
    assert Injections("<p title='<xss-canary onload>'>&lt;xss-canary&gt;</p>").found == []


@pytest.fixture
def poisoned(db: None) -> Given:
    return poison(arrange())


@pytest.mark.parametrize(
    ("who", "path"),
    [
        *product(["alice"], READ_BY_CONTRIBUTORS + WORK),
        *product(["mona"], READ_BY_CONTRIBUTORS),
        *product(["mona", "root"], READ_BY_STAFF),
    ],
)
def test_stored_markup_is_shown_as_text(poisoned: Given, who: str, path: str) -> None:
    response = poisoned.send(who, path.format(**poisoned.words) + "?")

    assert (response.status_code, CANARY.encode() in response.content) == (200, True)
    check(response)
