"""How chats are kept: settings, titles, archive, sharing, export, deletion."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from chat_app import sharing
from chat_app.models import Chat, CustomInstructions, Preset, Share
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from tests.sessions import HTMX

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

VALUES = {
    "model": "tiny",
    "preset": "",
    "temperature": "0.3",
    "top_k": "20",
    "use_top_k": "on",
    "top_p": "0.9",
    "typical_p": "0.2",
    "repetition_penalty": "1.1",
    "max_new_tokens": "200",
    "seed": "7",
    "stop": "END\n\nStop here",
}


@pytest.fixture
def chat(alice: User) -> Chat:
    return given.thread(alice, "How do tides work?", "The **Moon**.")[0]


def post(web: Client, chat: Chat, what: str, **data: str) -> str:
    response = web.post(f"/chat/{chat.pk}/{what}/", data, follow=True)
    chat.refresh_from_db()
    return response.content.decode()


# Settings


def test_own_values_are_kept_with_their_switches(web: Client, chat: Chat) -> None:
    post(web, chat, "settings", **VALUES)

    assert chat.preset == ""
    assert chat.parameters == {
        "temperature": 0.3,
        "top_k": 20,
        "top_p": None,
        "typical_p": None,
        "repetition_penalty": 1.1,
        "max_new_tokens": 200,
        "seed": None,
        "stop": ["END", "Stop here"],
    }


def test_preset_wins_over_the_sliders_but_not_over_length(web: Client, chat: Chat) -> None:
    post(web, chat, "settings", **VALUES | {"preset": "k50-Precise"})

    assert chat.preset == "k50-Precise"
    page = web.get(f"/chat/{chat.pk}/").content.decode()
    assert ("data-preset-name>Precise<" in page, "k50" in page) == (True, False)
    assert (chat.parameters["temperature"], chat.parameters["top_k"]) == (0.1, 50)
    assert chat.parameters["max_new_tokens"] == 200


def test_values_out_of_range_are_named_and_nothing_changes(web: Client, chat: Chat) -> None:
    before = chat.parameters

    page = post(web, chat, "settings", **VALUES | {"temperature": "9", "top_k": "x"})

    assert "less than or equal to 2" in page
    assert "Enter a whole number" in page
    assert chat.parameters == before


def test_too_many_stop_texts_are_refused_in_words(web: Client, chat: Chat) -> None:
    page = post(web, chat, "settings", **VALUES | {"stop": "\n".join("abcdefghij")})

    assert "stop: expected at most 8 texts" in page


def test_values_kept_under_a_name_become_a_preset_to_choose(
    web: Client, chat: Chat, alice: User
) -> None:
    post(web, chat, "settings", **VALUES | {"save_as": "Careful"})

    assert Preset.objects.get(user=alice).parameters["temperature"] == 0.3
    assert chat.preset == "Careful"
    assert ">Careful<" in web.get(f"/chat/{chat.pk}/settings/").content.decode()


def test_model_of_the_next_reply_is_the_chosen_one(web: Client, chat: Chat) -> None:
    other = given.served("other")

    post(web, chat, "settings", **VALUES | {"model": "other"})

    assert chat.model == other


def test_settings_in_a_dialog_tell_the_page(web: Client, chat: Chat) -> None:
    url = f"/chat/{chat.pk}/settings/"

    form = web.get(url, headers=HTMX).content.decode()
    sent = web.post(url, VALUES, headers=HTMX)

    assert "<html" not in form
    assert json.loads(sent["HX-Trigger"])["chat:changed"]["model"] == "Tiny"
    assert "dialog:done" in sent["HX-Trigger"]


def test_instructions_are_kept_and_presets_forgotten(web: Client, chat: Chat, alice: User) -> None:
    post(web, chat, "settings", **VALUES | {"save_as": "Careful"})

    web.post("/chat/settings/", {"about_me": "I teach.", "how_to_respond": "", "enabled": "on"})
    web.post("/chat/settings/", {"forget": "Careful"})

    kept = CustomInstructions.objects.get(user=alice)
    assert (kept.about_me, kept.enabled) == ("I teach.", True)
    assert not Preset.objects.exists()


def test_too_long_instructions_are_refused_and_stay_in_the_form(web: Client) -> None:
    response = web.post("/chat/settings/", {"about_me": "x" * 1001})

    assert response.status_code == 422
    assert "x" * 1001 in response.content.decode()
    assert not CustomInstructions.objects.exists()


# Title, archive, data use, deletion


def test_title_typed_is_kept_and_an_empty_one_made_anew(web: Client, chat: Chat) -> None:
    post(web, chat, "rename", title="  Sea\nand moon ")
    assert chat.title == "Sea and moon"

    post(web, chat, "rename", title="")
    assert chat.title == "How do tides work?"


def test_archive_and_back(web: Client, chat: Chat) -> None:
    assert "Moved to the archive" in post(web, chat, "archive", on="on")
    assert chat.archived

    post(web, chat, "archive")
    assert not chat.archived


def test_data_use_is_switched_and_shown(web: Client, chat: Chat) -> None:
    page = post(web, chat, "data-use")
    assert not chat.allow_data_use
    assert 'role="switch" aria-checked="false"' in page

    post(web, chat, "data-use", on="on")
    assert chat.allow_data_use


def test_delete_asks_first(web: Client, chat: Chat) -> None:
    asked = web.get(f"/chat/{chat.pk}/delete/").content.decode()
    assert "cannot be brought back" in asked
    assert Chat.objects.exists()

    web.post(f"/chat/{chat.pk}/delete/")
    assert not Chat.objects.exists()


# Sharing


def test_shared_copy_is_readable_by_everybody_until_revoked(
    web: Client, client: Client, chat: Chat
) -> None:
    post(web, chat, "share")
    share = Share.objects.get()
    given.prompt(chat, "A secret", parent=chat.tail)

    shown = client.get(f"/chat/shared/{share.token}/")
    post(web, chat, "share", revoke=str(share.pk))
    gone = client.get(f"/chat/shared/{share.token}/")

    assert "<strong>Moon</strong>" in shown.content.decode()
    assert "A secret" not in shown.content.decode()
    assert "noindex" in shown["X-Robots-Tag"]
    assert gone.status_code == 404


def test_share_of_another_chat_cannot_be_revoked(web: Client, chat: Chat, bob: User) -> None:
    other, _messages = given.thread(bob)
    share = sharing.share(other, now=NOW)

    response = web.post(f"/chat/{chat.pk}/share/", {"revoke": share.pk})

    assert response.status_code == 404
    assert Share.objects.get() == share


# Export


def test_export_as_json_has_every_branch(web: Client, chat: Chat) -> None:
    given.prompt(chat, "Another beginning", now=NOW + timedelta(minutes=1))

    response = web.get(f"/chat/{chat.pk}/export/", {"format": "json"})

    body = json.loads(response.content)
    assert "attachment" in response["Content-Disposition"]
    assert [(message["role"], message["text"]) for message in body["messages"]] == [
        ("prompter", "How do tides work?"),
        ("assistant", "The **Moon**."),
        ("prompter", "Another beginning"),
    ]


def test_export_as_markdown_has_the_thread_in_view(web: Client, chat: Chat) -> None:
    response = web.get(f"/chat/{chat.pk}/export/", {"format": "markdown"})

    assert response.content.decode() == (
        "# How do tides work?\n\n## You\n\nHow do tides work?\n\n## tiny\n\nThe **Moon**.\n"
    )
