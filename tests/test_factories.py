"""The tests' own drawing of trees."""

import pytest

from tasks_app.enums import TaskType
from tasks_app.models import Offer
from tests.factories import crowd, grow

pytestmark = pytest.mark.django_db


def test_grow_stores_messages_in_the_order_of_the_drawing() -> None:
    grown = grow("P(A A-(Px) A?2)")

    root, accepted, rejected, deleted, in_review = grown
    assert [m.depth for m in grown] == [0, 1, 1, 2, 1]
    assert [m.review_result for m in grown] == [True, True, False, True, None]
    assert [m.review_count for m in grown] == [3, 3, 3, 3, 2]
    assert [m.deleted for m in grown] == [False, False, False, True, False]
    assert deleted.parent_id == rejected.pk
    assert accepted.parent_id == in_review.parent_id == root.pk == grown.tree.pk
    assert root.children_count == 2


def test_grow_offers_what_the_tree_invites() -> None:
    grown = grow("P(A A?)")

    offers = {offer.message_id: (offer.kind, offer.slots) for offer in Offer.objects.all()}
    assert offers == {
        grown[0].pk: (TaskType.ASSISTANT_REPLY, 1),
        grown[1].pk: (TaskType.PROMPTER_REPLY, 1),
        grown[2].pk: (TaskType.LABEL_ASSISTANT_REPLY, 3),
    }


@pytest.mark.parametrize("drawing", ["A", "P(P)", "P P", "P(A", "P(A))", "Q"])
def test_grow_refuses_impossible_drawings(drawing: str) -> None:
    with pytest.raises(ValueError, match=r"cannot|bracket"):
        grow(drawing)


def test_crowd_asked_for_again_is_the_same() -> None:
    first = crowd(2)

    assert crowd(3)[:2] == first
