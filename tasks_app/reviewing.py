"""From the labels on a message to its review result, and back when a review is taken back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks_app import facts as tree_facts
from tasks_app import offers, overlap, reliability
from tasks_app.config import TreeConfig
from tasks_app.enums import REVIEWING_STATES, SkillGroup, TreeState
from tasks_app.errors import DecidedMeanwhile
from tasks_app.models import ImportedLabelAggregate, Message, MessageTree, Task, TextLabels
from tasks_app.overlap import Verdict
from tasks_app.reviews import acceptance, is_accepted, takes_in


@dataclass(frozen=True)
class Finding:
    """What the reviews of a message say, and with adaptive overlap, how many it should have."""

    result: bool | None  # None: not enough reviews, or they differ
    wanted: int | None = None
    is_split: bool = False


def record_verdict(
    message: Message, label_set: TextLabels, *, config: TreeConfig, now: datetime
) -> None:
    """Count one more review of `message`, just stored, and decide if there are enough.

    Caller holds the tree's row lock. An accepted prompt stays accepted, as does a reply that
    others build upon; a rejected reply stays rejected if others took its place; what a moderator
    decided stays. Any other verdict follows late votes, but never against the vote: weights that
    have changed since decide nothing anew. Source: reference 2.4, design 4.
    """
    had_place = message.review_result is None or message.review_count < needed(message, config)
    message.review_count += 1
    found = _find(message, config)
    before = message.review_result
    is_new = before is None or _speaks_for(found.result, label_set, message, config)
    if is_new and found.result not in (None, before) and _may_change(message, config, had_place):
        message.review_result = found.result
    if before is None:
        _note_overlap(message, found, now)
    message.save(update_fields=_COLUMNS)


_COLUMNS = ["review_count", "review_result", "reviews_wanted", "split_at"]


def take_back(
    label_set: TextLabels, tree: MessageTree, *, config: TreeConfig, now: datetime
) -> None:
    """Remove a review, and the verdict if it rests on this review. `tree` is locked and in review.

    Raises DecidedMeanwhile if the verdict has to stay.
    """
    message = label_set.message
    was_open = message.review_result is None
    with_it = _find(message, config).result
    label_set.delete()
    message.review_count -= 1
    found = _find(message, config)
    without = found.result
    rests_on_it = with_it != without and (without is None or message.review_result == with_it)
    if rests_on_it and message.review_result != without and not is_settled(message):
        if not _may_return(message, tree, config):
            raise DecidedMeanwhile
        message.review_result = without
    if was_open or message.review_result is None:
        _note_overlap(message, found, now)
    message.save(update_fields=_COLUMNS)
    reliability.forget_means(SkillGroup.ACCEPTANCE, [message.lang])


def reopen(message: Message, *, config: TreeConfig) -> None:
    """Take a moderator's decision back: the message waits for one again. Its tree is locked.

    Raises DecidedMeanwhile if others have built upon the decision.
    """
    tree = message.tree
    in_review = TreeState(tree.state) in REVIEWING_STATES
    if not (in_review and is_settled(message) and _may_return(message, tree, config)):
        raise DecidedMeanwhile
    message.review_result = None
    message.save(update_fields=["review_result"])


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
    found = Finding(None) if not message.review_count else _find(message, config)
    if message.review_result is None and found.result is not None:
        message.split_at = None  # those who are left agree, so no moderator has to decide
    message.review_result = _after_counting(message, found.result, config, known or {})
    if message.review_result is None:
        stays_split = found.is_split and message.split_at is not None
        message.reviews_wanted = found.wanted if stays_split or not found.is_split else None
        message.split_at = message.split_at if stays_split else None
    elif message.reviews_wanted is not None:
        message.reviews_wanted = min(message.reviews_wanted, message.review_count)
    message.save(update_fields=_COLUMNS)


def _after_counting(
    message: Message, verdict: bool | None, config: TreeConfig, known: Mapping[str, Any]
) -> bool | None:
    result = message.review_result
    if message.review_count == known.get("review_count"):
        return known["review_result"]
    if message.review_count == 0 and not hasattr(message, "imported_labels"):
        return None
    if is_settled(message):
        return result
    if verdict is None:
        is_reviewed_again = result is False and message.tree.state == TreeState.GROWING
        return None if is_reviewed_again else result
    if verdict == result or _may_change(message, config, had_place=result is None):
        return verdict
    return result


def needed(message: Message, config: TreeConfig) -> int:
    """How many reviews decide on `message`."""
    return config.reviews_needed(
        is_root=message.is_root,
        wanted=message.reviews_wanted,
        is_decided=message.review_result is not None,
    )


def waits_for_moderator(message: Message, config: TreeConfig) -> bool:
    """True while reviewers differ and nobody has decided."""
    is_undecided = message.review_result is None and not message.deleted
    return config.adaptive_overlap and message.split_at is not None and is_undecided


def is_settled(message: Message) -> bool:
    """True if reviewers differed and a moderator decided."""
    return message.split_at is not None and message.review_result is not None


def _note_overlap(message: Message, found: Finding, now: datetime) -> None:
    """Write down how many reviews an undecided message should have, or had when it was decided."""
    message.reviews_wanted = found.wanted
    message.split_at = (message.split_at or now) if found.is_split else None


def _find(message: Message, config: TreeConfig) -> Finding:
    """What the reviews say, once there are enough that count."""
    if config.adaptive_overlap:
        return _find_adaptively(message, config)
    enough = needed(message, config)
    if message.review_count < enough:
        return Finding(None)
    votes = _votes(message, config)
    if message.review_count - votes.held < enough:
        return Finding(None)
    threshold = config.acceptance_threshold(is_root=message.is_root)
    return Finding(is_accepted(acceptance(votes.sets, votes.weights), threshold))


def _find_adaptively(message: Message, config: TreeConfig) -> Finding:
    """Sure, in need of one more review, or split. Reviews that files tell of are left out."""
    counted = TextLabels.objects.reviews_of(message).counted()
    rows = list(counted.values_list("user_id", "values"))
    people, prior = reliability.skills([user for user, _ in rows], lang=message.lang, config=config)
    verdict = overlap.enough(
        [(takes_in(values), skill) for (_, values), skill in zip(rows, people, strict=True)],
        prior=prior,
        threshold=config.adaptive_threshold,
        least=config.adaptive_least_reviews,
        most=max(config.adaptive_least_reviews, config.adaptive_most_reviews),
    )
    count = message.review_count
    if verdict == Verdict.MORE:
        return Finding(None, wanted=max(config.adaptive_least_reviews, count + 1))
    if verdict == Verdict.ESCALATE:
        return Finding(None, wanted=count, is_split=True)
    return Finding(verdict == Verdict.ACCEPT, wanted=count)


def _speaks_for(
    result: bool | None, label_set: TextLabels, message: Message, config: TreeConfig
) -> bool:
    """One review counts, and alone would come to `result`. By the original formulas it does."""
    threshold = config.acceptance_threshold(is_root=message.is_root)
    is_for = is_accepted(acceptance([label_set.values]), threshold)
    return not label_set.held and is_for == result


def score(message: Message, config: TreeConfig) -> float:
    """Acceptance score of a message from its review tasks, weighted by reviewer.

    Raises ValueError if no review counts.
    """
    votes = _votes(message, config)
    return acceptance(votes.sets, votes.weights)


@dataclass
class _Votes:
    """The reviews that count, with their weights, and how many count for nothing."""

    sets: list[Mapping[str, float]]
    weights: list[float]
    held: int


def _votes(message: Message, config: TreeConfig) -> _Votes:
    """Reviews that an imported file tells of count with their published mean."""
    weight = reliability.weight(group=SkillGroup.ACCEPTANCE, lang=message.lang, config=config)
    rows = TextLabels.objects.reviews_of(message).annotate(weight=weight)
    votes = _Votes([], [], 0)
    for values, counted, held in rows.values_list("values", "weight", "held"):
        if held:
            votes.held += 1
        else:
            votes.sets.append(values)
            votes.weights.append(counted)
    imported: ImportedLabelAggregate | None = getattr(message, "imported_labels", None)
    if imported and "spam" in imported.values:
        votes.sets.append({name: entry["value"] for name, entry in imported.values.items()})
        votes.weights.append(imported.values["spam"]["count"])
    return votes


def _may_change(message: Message, config: TreeConfig, had_place: bool) -> bool:
    if is_settled(message):
        return False
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
