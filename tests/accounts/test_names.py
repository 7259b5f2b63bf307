"""Display names: any script, no tricks."""

import pytest
from django.test import Client

from oasst.accounts import names
from oasst.accounts.models import User

BAD = {
    "right-to-left override": "Mona\u202egro.",
    "isolate": "\u2066Mona\u2069",
    "zero width space": "Mo\u200bna",
    "word joiner": "Mona\u2060",
    "byte order mark": "\ufeffMona",
    "line break": "Mona\nModerator",
    "tab": "Mona\tM",
    "escape": "Mona\x1b[31m",
    "line separator": "Mona\u2028x",
    "private use": "Mona\ue000",
    "only joiners": "\u200d\u200c",
    "only accents": "\u0301\u0301",
    "only punctuation": "...",
    "Hangul filler": "\u3164",
    "braille blank": "\u2800",
    "too long": "x" * 41,
    "accent flood": "Z" + "\u0335" * 12,
    "surrogate": "Mona\ud800",
}


@pytest.mark.parametrize("name", BAD.values(), ids=BAD.keys())
def test_clean_refuses(name: str) -> None:
    with pytest.raises(names.BadName) as refused:
        names.clean(name)

    assert refused.value.message


@pytest.mark.parametrize(
    "name",
    ["Mona", "Ж", "李小龙", "نسرین‌جان", "हिन्दी", "Đặng Thị", "O'Neil-Smith 3rd", "👩‍🚀", "x" * 40],
)
def test_clean_keeps_names_of_all_scripts(name: str) -> None:
    assert names.clean(name) == name


def test_clean_composes_and_trims() -> None:
    assert names.clean("  Rene\u0301   Levy ") == "Ren\u00e9 Levy"


@pytest.mark.parametrize(
    "name",
    ["", "   ", "Mo\x00na", BAD["right-to-left override"], BAD["too long"], BAD["surrogate"]],
)
def test_account_page_refuses_bad_names_and_changes_nothing(
    client: Client, alice: User, name: str
) -> None:
    client.force_login(alice)
    fields = {"contribution_languages": ["en"], "ui_language": "en", "theme": "dark"}

    response = client.post("/account/", {**fields, "display_name": _sendable(name)})

    alice.refresh_from_db()
    assert response.status_code == 400
    assert "field-errors" in response.content.decode()
    assert (alice.display_name, alice.theme) == ("Alice", "system")


def test_name_with_markup_is_escaped(client: Client, alice: User) -> None:
    User.objects.update(display_name="<script>alert(1)</script>")
    client.force_login(alice)

    page = client.get("/account/").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def _sendable(name: str) -> str:
    """A browser cannot send a lone surrogate; it would arrive as another forbidden character."""
    return name.replace("\ud800", "\ue000")
