"""From the labels on a message to its review result, and back when a review is taken back."""

from collections.abc import Mapping
from typing import Any

from tasks_app import facts as tree_facts
from tasks_app import offers, reliability
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.errors import DecidedMeanwhile
from tasks_app.models import ImportedLabelAggregate, Message, MessageTree, Task, TextLabels
from tasks_app.reviews import acceptance, is_accepted


def record_verdict(message: Message, *, config: TreeConfig) -> None:
    """Count one more review of `message` and decide on it if there are enough.

    Caller holds the tree's row lock. An accepted prompt stays accepted, as does a reply that
    others build upon; a rejected reply stays rejected if others took its place. Any other verdict
    follows late votes. Source: reference 2.4, design 4.
    """
    needed = config.reviews_needed(is_root=message.is_root)
    had_place = message.review_result is None or message.review_count < needed
    message.review_count += 1
    verdict = _verdict(message, config)
    if verdict not in (None, message.review_result) and _may_change(message, config, had_place):
        message.review_result = verdict
    message.save(update_fields=["review_count", "review_result"])


def take_back(label_set: TextLabels, tree: MessageTree, *, config: TreeConfig) -> None:
    """Remove a review, and the verdict if it rests on this review. `tree` is locked and in review.

    Raises DecidedMeanwhile if the verdict has to stay.
    """
    message = label_set.message
    with_it = _verdict(message, config)
    label_set.delete()
    message.review_count -= 1
    without = _verdict(message, config)
    rests_on_it = with_it != without and (without is None or message.review_result == with_it)
    if rests_on_it and message.review_result != without:
        if not _may_return(message, tree, config):
            raise DecidedMeanwhile
        message.review_result = without
    message.save(update_fields=["review_count", "review_result"])


def rests_on(label_set: TextLabels) -> bool:
    """Whether a review alone carries a verdict that others have built upon. It has to stay."""
    message = label_set.message
    built_upon = message.is_root or message.children_count or _is_reserved(message)
    return message.review_count == 1 and message.review_result is True and bool(built_upon)


def count_anew(
    message: Message, *, config: TreeConfig, known: Mapping[str, Any] | None = None
) -> None:
    """Count the reviews of `message` after some were taken out or put back.

    Caller holds the tree's row lock. With as many reviews as were `known` once, the verdict is the
    one of then. With too few for a verdict an acceptance stays, and a reply that was not accepted
    is reviewed again if its tree still grows. Else the verdict follows as after a late vote.
    """
    imported: ImportedLabelAggregate | None = getattr(message, "imported_labels", None)
    given = TextLabels.objects.reviews_of(message).count()
    message.review_count = given + (imported.review_count if imported else 0)
    message.review_result = _after_counting(message, config, known or {})
    message.save(update_fields=["review_count", "review_result"])


def _after_counting(message: Message, config: TreeConfig, known: Mapping[str, Any]) -> bool | None:
    result = message.review_result
    if message.review_count == known.get("review_count"):
        return known["review_result"]
    if message.review_count == 0 and not hasattr(message, "imported_labels"):
        return None
    verdict = _verdict(message, config)
    if verdict is None:
        is_reviewed_again = result is False and message.tree.state == TreeState.GROWING
        return None if is_reviewed_again else result
    if verdict == result or _may_change(message, config, had_place=result is None):
        return verdict
    return result


def _verdict(message: Message, config: TreeConfig) -> bool | None:
    """What the reviews say, once there are enough."""
    if message.review_count < config.reviews_needed(is_root=message.is_root):
        return None
    return is_accepted(score(message), config.acceptance_threshold(is_root=message.is_root))


def score(message: Message) -> float:
    """Acceptance score of a message from its review tasks, weighted by reviewer.

    Reviews that an imported file tells of count with their published mean.
    """
    rows = list(TextLabels.objects.reviews_of(message).values_list("user_id", "values"))
    weights = reliability.weights([user for user, _ in rows])
    sets = [values for _, values in rows]
    imported: ImportedLabelAggregate | None = getattr(message, "imported_labels", None)
    if imported and "spam" in imported.values:
        sets.append({name: entry["value"] for name, entry in imported.values.items()})
        weights.append(imported.values["spam"]["count"])
    return acceptance(sets, weights)


def _may_change(message: Message, config: TreeConfig, had_place: bool) -> bool:
    if message.review_result is True:
        return not (message.is_root or message.children_count or _is_reserved(message))
    return had_place or message.is_root or _has_room(message, config)


def _may_return(message: Message, tree: MessageTree, config: TreeConfig) -> bool:
    """Nobody has built upon the verdict: no reply to it, nor one in place of it."""
    if message.is_root:
        return False  # the tree went on at once
    if message.review_result:
        return not (message.children_count or _is_reserved(message))
    return tree.open_places > 0 and _has_room(message, config)


def _is_reserved(message: Message) -> bool:
    """Somebody is writing a reply to it."""
    return Task.objects.filter(message=message, holds_slot=True).exists()


def _has_room(message: Message, config: TreeConfig) -> bool:
    """The message above can take one more reply."""
    facts = tree_facts.load(message.tree)
    parent = next(node for node in facts.nodes if node.id == message.parent_id)
    return offers.free_reply_slots(parent, facts, config) > parent.reserved
