"""From the labels on a message to its review result."""

from tasks_app import reliability
from tasks_app.config import TreeConfig
from tasks_app.models import ImportedLabelAggregate, Message, TextLabels
from tasks_app.reviews import acceptance, is_accepted


def record_verdict(message: Message, *, config: TreeConfig) -> None:
    """Count one more review of `message` and decide on it if there are enough.

    Caller holds the tree's row lock. An accepted prompt stays accepted, as does a reply that
    others have built upon; any other verdict follows late votes. Source: reference 2.4, design 4.
    """
    message.review_count += 1
    if message.review_count >= config.reviews_needed(is_root=message.is_root):
        threshold = config.acceptance_threshold(is_root=message.is_root)
        verdict = is_accepted(score(message), threshold)
        if verdict or not _is_final(message):
            message.review_result = verdict
    message.save(update_fields=["review_count", "review_result"])


def score(message: Message) -> float:
    """Acceptance score of a message from its review tasks, weighted by reviewer.

    Reviews that an imported file tells of count with their published mean.
    """
    rows = list(TextLabels.objects.reviews_of(message).values_list("user_id", "values"))
    weights = reliability.weights([user for user, _ in rows])
    sets = [values for _, values in rows]
    imported = ImportedLabelAggregate.objects.filter(message=message).first()
    if imported and "spam" in imported.values:
        sets.append({name: entry["value"] for name, entry in imported.values.items()})
        weights.append(imported.values["spam"]["count"])
    return acceptance(sets, weights)


def _is_final(message: Message) -> bool:
    return message.review_result is True and (message.is_root or message.children_count > 0)
