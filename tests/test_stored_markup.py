"""Texts that are markup, shown in every page of contributors and of the desk."""

import pytest

from tests.hostile import (
    CANARY,
    CHAT,
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("bob", READ_BY_CONTRIBUTORS),
        ("alice", WORK + CHAT),
        ("mona", READ_BY_STAFF),
        ("root", READ_BY_STAFF),
    ],
    ids=["bob", "alice", "mona", "root"],
)
def test_stored_markup_is_shown_as_text(
    poisoned: Given, who: str, paths: list[str], subtests: pytest.Subtests
) -> None:
    for path in paths:
        with subtests.test(path):
            response = poisoned.send(who, path.format(**poisoned.words) + "?")

            assert (response.status_code, CANARY.encode() in response.content) == (200, True)
            check(response)
