"""Which work a tree invites, and how a slot of it is taken."""

import pytest

from tasks_app import facts, interactions, offers, trees
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TreeState
from tasks_app.models import Offer
from tests import factories
from tests.factories import NOW, Grown, grow

pytestmark = pytest.mark.django_db

CONFIG = TreeConfig()


def work(grown: Grown) -> dict[int, tuple[str, int]]:
    """What each message invites, by its place in the drawing."""
    places = {message.pk: place for place, message in enumerate(grown)}
    return {places[o.message_id]: (o.kind, o.slots) for o in Offer.objects.filter(tree=grown.tree)}


def test_prompt_in_review_invites_its_missing_reviews() -> None:
    assert work(grow("P?1", state=TreeState.INITIAL_PROMPT_REVIEW)) == {
        0: ("label_initial_prompt", 2)
    }


def test_undecided_message_invites_one_more_review_however_many_it_has() -> None:
    prompt = grow("P?4", state=TreeState.INITIAL_PROMPT_REVIEW)

    assert work(prompt) == {0: ("label_initial_prompt", 1)}
    assert trees.next_state(facts.load(prompt.tree), CONFIG) is None


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("P", {0: ("assistant_reply", 3)}),
        # A reply in review takes a place and invites reviews, not replies.
        ("P(A?2)", {0: ("assistant_reply", 2), 1: ("label_assistant_reply", 1)}),
        # A rejected or deleted one takes none.
        ("P(A- Ax A?x)", {0: ("assistant_reply", 3)}),
        # An assistant message wants one answer, a prompt three.
        ("P(A A A)", dict.fromkeys((1, 2, 3), ("prompter_reply", 1))),
        ("P(A(P) A A)", {2: ("assistant_reply", 3)} | dict.fromkeys((3, 4), ("prompter_reply", 1))),
        ("P(A(P?) A A)", {2: ("label_prompter_reply", 3), 3: ("prompter_reply", 1)}),
        # At the greatest depth nothing follows.
        ("P(A(P(A)))", {0: ("assistant_reply", 2), 2: ("assistant_reply", 2)}),
    ],
)
def test_growing_tree_invites(drawing: str, expected: dict[int, tuple[str, int]]) -> None:
    found = work(grow(drawing, max_children_count=3))

    assert {place: found.get(place) for place in expected} == expected
    if "A A" not in drawing:
        assert found == expected


def test_growing_tree_without_open_places_invites_no_replies() -> None:
    grown = grow("P(A? A?)", goal_tree_size=3)

    assert grown.tree.open_places == 0
    assert work(grown) == dict.fromkeys((1, 2), ("label_assistant_reply", 3))


def test_open_places_leave_out_what_is_rejected_deleted_or_reserved() -> None:
    grown = grow("P(A A- Ax A?)", goal_tree_size=6)
    assert grown.tree.open_places == 3

    factories.hand_out(factories.alice(), "assistant_reply", grown.root)

    assert grown.refresh().tree.open_places == 2


def test_tree_in_ranking_invites_rankings_of_two_or_more_accepted_replies() -> None:
    grown = grow("P(A(P P) A(P) A-)", state=TreeState.RANKING)

    assert work(grown) == {0: ("rank_assistant_replies", 3)}
    with overridden(rank_prompter_replies=True):
        trees.advance(grown.tree, config=TreeConfig.current(), now=NOW)
    assert work(grown) == {0: ("rank_assistant_replies", 3), 1: ("rank_prompter_replies", 3)}


@pytest.mark.parametrize(
    "state",
    [state for state in TreeState if state.is_terminal],
)
def test_inactive_tree_invites_nothing(state: TreeState) -> None:
    grown = grow("P(A A?)", state=state)

    assert work(grown) == {}
    assert grown.tree.open_places == 0


@pytest.mark.parametrize(
    ("drawing", "lonely"),
    [("P", False), ("P(A)", True), ("P(A?)", True), ("P(A-)", False), ("P(A A)", False)],
)
def test_prompter_message_with_one_reply_is_lonely(drawing: str, lonely: bool) -> None:
    grown = grow(drawing)

    assert Offer.objects.get(message=grown.root).lonely is lonely


def test_assistant_message_is_never_lonely() -> None:
    grown = grow("P(A(P))", num_prompter_replies=3)

    assert Offer.objects.get(message=grown[1]).lonely is False


def test_take_slot_takes_the_last_one_only_once() -> None:
    grown = grow("P(A?2)")
    offer = Offer.objects.get(message=grown[1])

    assert offers.take_slot(offer) is True
    assert offers.take_slot(offer) is False
    assert Offer.objects.get(message=grown[1]).slots == 0


def test_take_slot_of_a_reply_takes_a_place_of_the_tree() -> None:
    grown = grow("P")
    before = grown.tree.open_places

    offers.take_slot(Offer.objects.get())

    assert grown.refresh().tree.open_places == before - 1


def test_take_slot_of_a_reply_refuses_when_the_tree_has_become_full() -> None:
    grown = grow("P(A)", goal_tree_size=3)
    first, second = Offer.objects.order_by("message__depth")

    assert offers.take_slot(first) is True
    assert offers.take_slot(second) is False

    second.refresh_from_db()
    assert (second.slots, grown.refresh().tree.open_places) == (0, 0)


def test_take_slot_of_the_last_place_closes_the_other_replies_of_the_tree() -> None:
    grown, other = grow("P(A A?)", goal_tree_size=4), grow("P")
    assert work(grown)[0] == ("assistant_reply", 1)
    assert work(grown)[1] == ("prompter_reply", 1)

    offers.take_slot(Offer.objects.get(message=grown[1]))

    assert {place: slots for place, (_, slots) in work(grown).items()} == {0: 0, 1: 0, 2: 3}
    assert work(other) == {0: ("assistant_reply", 3)}
    assert grown.refresh().tree.open_places == 0


def test_released_place_opens_the_replies_of_the_tree_again() -> None:
    grown = grow("P(A A?)", goal_tree_size=4)
    task = factories.hand_out(factories.alice(), "prompter_reply")

    interactions.skip(task.pk, factories.alice(), now=NOW)

    assert work(grown)[0] == ("assistant_reply", 1)
    assert grown.refresh().tree.open_places == 1


def test_take_ranking_gives_the_accepted_replies_until_the_slots_are_gone() -> None:
    grown = grow("P(A A A- Ax)", state=TreeState.RANKING)
    offer = Offer.objects.get()
    Offer.objects.update(slots=1)

    assert offers.take_ranking(offer) == [grown[1].pk, grown[2].pk]
    assert offers.take_ranking(offer) is None
    assert Offer.objects.get().slots == 0


def test_take_slot_refuses_an_offer_that_changed_its_kind() -> None:
    grown = grow("P(A?)")
    stale = Offer.objects.get(message=grown[1])
    Offer.objects.filter(message=grown[1]).update(kind="prompter_reply")

    assert offers.take_slot(stale) is False


def test_plan_is_pure_and_counts_replies_that_take_a_place() -> None:
    grown = grow("P(A A- Ax A?)")

    planned = offers.plan(facts.load(grown.tree), CONFIG)

    assert planned == offers.plan(facts.load(grown.tree), CONFIG)
    assert planned.children_counts[grown.root.pk] == 2


def test_higher_demand_for_reviews_puts_rejected_messages_back_in_review() -> None:
    grown = grow("P(A A-)")

    with overridden(num_reviews_reply=5):
        trees.advance(grown.tree, config=TreeConfig.current(), now=NOW)

    assert work(grown)[2] == ("label_assistant_reply", 2)
    assert work(grown)[1] == ("prompter_reply", 1)
