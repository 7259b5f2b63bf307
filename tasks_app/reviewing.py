"""From the labels on a message to its review result."""

from tasks_app import facts as tree_facts
from tasks_app import offers, reliability
from tasks_app.config import TreeConfig
from tasks_app.models import ImportedLabelAggregate, Message, Task, TextLabels
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
    if message.review_count >= needed:
        threshold = config.acceptance_threshold(is_root=message.is_root)
        verdict = is_accepted(score(message), threshold)
        if verdict != message.review_result and _may_change(message, config, had_place):
            message.review_result = verdict
    message.save(update_fields=["review_count", "review_result"])


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


def _is_reserved(message: Message) -> bool:
    """Somebody is writing a reply to it."""
    return Task.objects.filter(message=message, holds_slot=True).exists()


def _has_room(message: Message, config: TreeConfig) -> bool:
    """The message above can take one more reply."""
    facts = tree_facts.load(message.tree)
    parent = next(node for node in facts.nodes if node.id == message.parent_id)
    return offers.free_reply_slots(parent, facts, config) > parent.reserved
