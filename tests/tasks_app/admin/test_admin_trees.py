"""Trees at the desk: what the page shows, halt, set going again, score again."""

from datetime import timedelta

import pytest
from django.test import Client

from oasst.accounts.models import User
from tasks_app import moderation
from tasks_app.admin.tree_page import outline
from tasks_app.enums import TreeState
from tasks_app.models import Message, ModerationAction, Ranking, RankingConsensus, TextLabels
from tests.factories import NOW, grow
from tests.tasks_app.admin.desk import WHY, act_on, bulk, found, page_of, told

pytestmark = pytest.mark.slow

LIST = "/admin/tasks_app/messagetree/"
S = TreeState


def test_outline_numbers_messages_in_reading_order(db: None) -> None:
    grown = grow("P(A(P P) A)")
    Message.objects.filter(pk=grown[4].pk).update(rank=0)
    Message.objects.filter(pk=grown[1].pk).update(rank=1)

    order = [(number, message.pk) for number, message in outline(grown.refresh())]

    wanted = {"1": 0, "1.1": 4, "1.2": 1, "1.2.1": 2, "1.2.2": 3}
    assert order == [(number, grown[place].pk) for number, place in wanted.items()]


def test_list_finds_trees_by_state_words_and_ids(moderator: Client) -> None:
    growing, halted = grow("P(A)"), grow("P", state=S.HALTED_BY_MODERATOR, lang="de")
    Message.objects.filter(pk=growing[1].pk).update(text="A walrus replies")

    assert found(moderator.get(LIST, {"state__exact": "growing"})) == [growing.tree]
    assert found(moderator.get(LIST, {"is_active": "no"})) == [halted.tree]
    assert found(moderator.get(LIST, {"lang": "de"})) == [halted.tree]
    assert found(moderator.get(LIST, {"q": "walrus"})) == [growing.tree]
    assert found(moderator.get(LIST, {"q": str(growing[1].pk)})) == [growing.tree]
    assert found(moderator.get(LIST, {"q": "nothing like it"})) == []


def test_page_shows_every_node_and_how_the_tree_got_here(moderator: Client, mona: User) -> None:
    grown = grow("P(A A- Ax A?)")
    moderation.halt_tree(grown.tree.pk, actor=mona, reason="under discussion", now=NOW)

    page = moderator.get(page_of(grown.tree)).content.decode()

    assert [message.text in page for message in grown] == [True] * 5
    assert [word in page for word in ("Deleted", "Not accepted", "In review")] == [True] * 3
    assert "under discussion" in page
    assert "drawn by a test" in page
    assert f'href="/trees/{grown.tree.pk}/"' in page


def test_page_shows_rankings_and_consensus_by_number(
    moderator: Client, alice: User, bob: User
) -> None:
    grown = grow("P(A A)", state=S.READY_FOR_EXPORT)
    first, second = str(grown[1].pk), str(grown[2].pk)
    for user, groups in ((alice, [[second], [first]]), (bob, [[first, second]])):
        Ranking.objects.create(parent=grown.root, user=user, groups=groups, created_at=NOW)
    RankingConsensus.objects.create(
        parent=grown.root, order=[second, first], margins=[], agreement=0.5, rankings=2,
        not_rankable=0, computed_at=NOW,
    )  # fmt: skip

    page = moderator.get(page_of(grown.tree)).content.decode()

    assert "1.2 &gt; 1.1" in page
    assert "1.1 = 1.2" in page
    assert "agreement 0.50" in page


def test_labels_are_told_in_the_words_of_their_scale(moderator: Client, alice: User) -> None:
    grown = grow("P(A?)")
    values = {"spam": 0.0, "toxicity": 0.0, "quality": 0.75}
    TextLabels.objects.create(
        message=grown[1], user=alice, kind="task", values=values, created_at=NOW
    )

    shown = moderator.get(page_of(grown.tree)).context["nodes"][1]["label_sets"][0]["values"]

    assert shown == [("Spam", "No"), ("Quality", "High"), ("Politeness", "Polite")]


def test_halt_asks_stops_and_logs(moderator: Client, mona: User) -> None:
    grown = grow("P(A)")

    assert "1 tree" in moderator.get(act_on(grown.tree, "halt")).content.decode()
    assert grown.refresh().tree.state == S.GROWING

    moderator.post(act_on(grown.tree, "halt"), WHY)
    assert grown.refresh().tree.state == S.HALTED_BY_MODERATOR
    logged = ModerationAction.objects.get()
    assert (logged.action, logged.actor, logged.tree_id) == ("halt_tree", mona, grown.tree.pk)


def test_halted_tree_goes_on(moderator: Client) -> None:
    grown = grow("P(A)", state=S.HALTED_BY_MODERATOR)

    response = moderator.post(act_on(grown.tree, "unhalt"), WHY)

    assert grown.refresh().tree.state == S.GROWING
    assert told(response) == ["The tree goes on: Growing."]


def test_tree_with_a_rejected_prompt_stays_and_the_page_says_why(moderator: Client) -> None:
    grown = grow("P-", state=S.ABORTED_LOW_GRADE)

    response = moderator.post(act_on(grown.tree, "unhalt"), WHY)

    assert "rejected the prompt" in response.content.decode()
    assert grown.refresh().tree.state == S.ABORTED_LOW_GRADE
    assert not ModerationAction.objects.exists()


def test_scoring_is_tried_again(moderator: Client) -> None:
    grown = grow("P(A)", state=S.SCORING_FAILED)

    moderator.post(act_on(grown.tree, "score"), WHY)

    assert grown.refresh().tree.state == S.READY_FOR_EXPORT


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (S.GROWING, {"halt"}),
        (S.HALTED_BY_MODERATOR, {"unhalt"}),
        (S.SCORING_FAILED, {"halt", "unhalt", "score"}),
        (S.PROMPT_LOTTERY_WAITING, {"halt"}),
    ],
)
def test_buttons_fit_the_state(moderator: Client, state: TreeState, shown: set[str]) -> None:
    grown = grow("P", state=state)

    buttons = moderator.get(page_of(grown.tree)).context["buttons"]

    assert {button["action"].name for button in buttons} == shown


def test_bulk_halt_reports_what_could_not_be_done(moderator: Client) -> None:
    good, bad = (
        grow("P(A)", state=S.HALTED_BY_MODERATOR),
        grow("P-", state=S.ABORTED_LOW_GRADE, now=NOW - timedelta(hours=1)),
    )

    response = moderator.post(LIST, bulk("unhalt", [good.tree, bad.tree], confirmed="yes", **WHY))

    texts = told(response)
    assert len(texts) == 2
    assert "rejected the prompt" in texts[0]
    assert texts[1] == "Set going again: done for 1."
    assert good.refresh().tree.state == S.GROWING
    assert bad.refresh().tree.state == S.ABORTED_LOW_GRADE
