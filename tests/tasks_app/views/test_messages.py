"""Lists of messages and trees: what is found, and who sees what."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation, reactions
from tasks_app.browsing import PAGE_SIZE
from tasks_app.enums import TreeState
from tasks_app.models import Message
from tests.factories import NOW, alice, crowd, grow
from tests.sessions import SignIn

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def listed(web: Client, url: str) -> list[Message]:
    """The messages on a page."""
    page = web.get(url)
    assert page.status_code == 200
    return [card.message for card in page.context["cards"]]


def queries(web: Client, url: str) -> int:
    """How many queries a page takes."""
    with CaptureQueriesContext(connection) as captured:
        assert web.get(url).status_code == 200
    return len(captured)


def say(message: Message, text: str) -> Message:
    """Give a message its words."""
    Message.objects.filter(pk=message.pk).update(text=text)
    message.refresh_from_db()
    return message


# The list


def test_messages_are_newest_first_in_my_languages(web: Client) -> None:
    old = grow("P", now=NOW - timedelta(days=1))
    new = grow("P(A)")
    grow("P", lang="fr")

    assert listed(web, "/messages/") == [new[1], new[0], old[0]]


def test_messages_leave_out_what_was_rejected_or_removed(web: Client) -> None:
    grown = grow("P(A- Ax A?)")

    assert listed(web, "/messages/") == [grown[3], grown[0]]


def test_mine_shows_mine_also_if_not_accepted(web: Client, alice: User, bob: User) -> None:
    grown = grow("P(A- A)", authors={0: bob, 1: alice, 2: bob})

    assert listed(web, "/messages/?mine=on") == [grown[1]]


def test_filters_narrow_the_list(web: Client) -> None:
    grown = grow("P(A A?)")

    assert listed(web, "/messages/?role=assistant") == [grown[2], grown[1]]
    assert listed(web, "/messages/?role=assistant&state=accepted") == [grown[1]]
    assert listed(web, "/messages/?state=review") == [grown[2]]


def test_search_finds_words_phrases_and_leaves_out(web: Client) -> None:
    bread = say(grow("P").root, "How do I bake rye bread at home?")
    cake = say(grow("P").root, "At home I bake a cake, not bread rye")

    assert set(listed(web, "/messages/?q=bake")) == {bread, cake}
    assert listed(web, '/messages/?q="rye bread"') == [bread]
    assert listed(web, "/messages/?q=bake -cake") == [bread]
    assert listed(web, "/messages/?q=unheard") == []


@pytest.mark.parametrize("q", ["'", '"', "& | !", ":*", "-", "<script>", "%", "\\", "a" * 200])
def test_search_takes_any_words(web: Client, q: str) -> None:
    assert web.get("/messages/", {"q": q}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x\x00y"},
        {"q": "x" * 201},
        {"lang": "fr"},
        {"role": "user"},
        {"state": "nonsense"},
        {"before": "nonsense"},
        {"before": "-"},
        {"before": "99999999999999999999999-00000000000000000000000000000000"},
        {"before": "1-\x00"},
        {"before": "9" * 6000 + "-1"},
    ],
)
def test_queries_that_make_no_sense_say_so(web: Client, query: dict[str, str]) -> None:
    grow("P")

    page = web.get("/messages/", query)

    assert page.status_code == 422
    assert page.context["cards"] == []


def test_pages_follow_each_other_without_gap_or_repetition(web: Client) -> None:
    for _ in range(15):
        grow("P(A A)", now=NOW)  # many at the very same moment
    url, seen = "/messages/", []
    while url:
        page = web.get(url)
        seen += [card.message for card in page.context["cards"]]
        url = f"/messages/{page.context['more']}" if page.context["more"] else ""

    assert len(seen) == len(set(seen)) == 45 > 2 * PAGE_SIZE
    assert all(one.created_at >= other.created_at for one, other in pairwise(seen))


def test_pages_keep_the_filter(web: Client) -> None:
    for _ in range(PAGE_SIZE + 1):
        grow("P")

    more = web.get("/messages/?role=prompter").context["more"]

    assert "role=prompter" in more
    assert len(listed(web, f"/messages/{more}")) == 1


def test_the_list_takes_the_same_queries_for_more_rows(web: Client) -> None:
    _fill(1)
    few = [queries(web, url) for url in ("/messages/", "/messages/?mine=on", "/messages/?q=tree")]
    _fill(2)

    many = [queries(web, url) for url in ("/messages/", "/messages/?mine=on", "/messages/?q=tree")]
    assert many == few


def _fill(times: int) -> None:
    for _ in range(times):
        grown = grow("P(A)", author=alice())
        reactions.react(grown[1].pk, alice(), "clap", now=timezone.now())


def test_an_empty_list_invites_to_write(web: Client) -> None:
    page = web.get("/messages/")

    assert "Write a prompt in English" in page.text
    assert "/tasks/initial_prompt/next/?lang=en" in page.text


# A tree


@pytest.mark.parametrize("kind", ["messages", "trees"])
def test_a_tree_shows_all_messages_with_their_state(web: Client, kind: str) -> None:
    grown = grow("P(A(P) A? A-)")

    page = web.get(f"/{kind}/{grown.root.pk}/")

    assert page.status_code == 200
    for message in grown.messages[:4]:
        assert message.text in page.text
    for state in ("Accepted", "In review, 0 of 3", "Not accepted"):
        assert state in page.text


def test_a_message_is_marked_in_its_tree(web: Client) -> None:
    grown = grow("P(A A)")

    page = web.get(f"/messages/{grown[2].pk}/")

    assert page.text.count("message-highlight") == 1
    assert [card.is_target for card in page.context["root"].replies] == [False, True]


def test_replies_stand_by_rank_and_say_their_place(web: Client) -> None:
    grown = grow("P(A A A-)", state=TreeState.READY_FOR_EXPORT)
    for message, rank in ((grown[1], 1), (grown[2], 0)):
        Message.objects.filter(pk=message.pk).update(rank=rank)

    page = web.get(f"/trees/{grown.tree.pk}/")

    assert [card.message for card in page.context["root"].replies] == [grown[2], grown[1], grown[3]]
    assert "Place 1 of 2" in page.text
    assert "Place 2 of 2" in page.text


def test_deleted_messages_keep_their_place_but_not_their_text(
    web: Client, sign_in: SignIn, mona: User
) -> None:
    grown = grow("P(A(P))")
    moderation.delete_message(grown[1].pk, actor=mona, reason="spam", now=timezone.now())
    url = f"/messages/{grown[1].pk}/"

    page, moderators = web.get(url), sign_in(mona).get(url)

    assert page.text.count("This message was removed.") == 2
    assert grown[1].text not in page.text
    assert f"/messages/{grown[1].pk}/report/" not in page.text
    assert grown[1].text in moderators.text


def test_a_removed_prompt_shows_in_no_title_and_no_list(web: Client) -> None:
    grown = grow("P(A)")
    say(grown.root, "Unspeakable words")
    Message.objects.filter(pk=grown.root.pk).update(deleted=True)

    assert "Unspeakable" not in web.get(f"/trees/{grown.tree.pk}/").text
    listing = web.get("/messages/")
    assert "Unspeakable" not in listing.text
    assert "A message that is not shown" in listing.text


def test_rejected_texts_are_for_their_authors_and_moderators(
    sign_in: SignIn, alice: User, bob: User, mona: User
) -> None:
    grown = grow("P(A-)", authors={1: alice})
    url = f"/trees/{grown.tree.pk}/"

    assert grown[1].text in sign_in(alice).get(url).text
    assert grown[1].text not in sign_in(bob).get(url).text
    assert grown[1].text in sign_in(mona).get(url).text


def test_authors_are_named_to_moderators_only(sign_in: SignIn, alice: User, mona: User) -> None:
    author = crowd(1, prefix="Writer")[0]
    grown = grow("P", author=author)
    url = f"/trees/{grown.tree.pk}/"

    assert author.display_name not in sign_in(alice).get(url).text
    assert author.display_name in sign_in(mona).get(url).text


@pytest.mark.parametrize(
    ("state", "is_shown"),
    [(TreeState.GROWING, False), (TreeState.RANKING, False), (TreeState.READY_FOR_EXPORT, True)],
)
def test_the_origin_is_hidden_until_the_tree_is_ranked(
    web: Client, state: TreeState, *, is_shown: bool
) -> None:
    grown = grow("P(A A)", state=state)
    Message.objects.filter(pk=grown[1].pk).update(synthetic=True, model_name="secret-7b")

    page = web.get(f"/trees/{grown.tree.pk}/")

    assert ("Written by a model" in page.text) is is_shown
    assert "secret-7b" not in page.text


def test_counts_of_reactions_are_hidden_until_one_has_reacted(
    sign_in: SignIn, alice: User, bob: User, mona: User
) -> None:
    grown = grow("P", author=alice)
    for person in crowd(2):
        reactions.react(grown.root.pk, person, "+1", now=timezone.now())

    assert _counts(sign_in(bob), grown.root)["+1"] is None
    assert _counts(sign_in(alice), grown.root)["+1"] == 2
    assert _counts(sign_in(mona), grown.root)["+1"] == 2
    reactions.react(grown.root.pk, bob, "heart_eyes", now=timezone.now())
    assert _counts(sign_in(bob), grown.root)["+1"] == 2


def _counts(web: Client, message: Message) -> dict[str, int | None]:
    root = web.get(f"/messages/{message.pk}/").context["root"]
    return {button.code: button.count for button in root.shown}


def test_a_tree_takes_the_same_queries_for_more_messages(web: Client) -> None:
    small, large = grow("P(A)", author=alice()), grow("P(A(P) A(P) A-)", author=alice())

    few, many = _tree_queries(web, [small.tree.pk, large.tree.pk])

    assert few == many


def _tree_queries(web: Client, trees: Sequence[object]) -> list[int]:
    return [queries(web, f"/trees/{tree}/") for tree in trees]


def test_moderators_find_the_way_to_the_desk(sign_in: SignIn, alice: User, mona: User) -> None:
    grown = grow("P")
    url, desk = f"/trees/{grown.tree.pk}/", f"/admin/tasks_app/messagetree/{grown.tree.pk}/change/"

    assert desk in sign_in(mona).get(url).text
    assert desk not in sign_in(alice).get(url).text
