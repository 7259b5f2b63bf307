"""What can go wrong with a task, in words for the person who meets it."""

from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError


class NotAllowed(DomainError):
    """A banned, muted or deleted account tries to contribute."""

    code = "not_allowed"
    status = 403
    default_message = _(
        "Your account may not contribute at the moment. Write to the moderators to find out why."
    )


class LanguageNotYours(DomainError):
    """Something was asked for in a language that the person did not choose."""

    code = "language_not_yours"
    default_message = _("This is not one of your languages. You can add it on your account page.")


class NoTaskAvailable(DomainError):
    """Nothing of the wanted kind fits this person now."""

    code = "no_task_available"
    status = 404
    default_message = _("There is no task of this kind for you right now. Try another kind.")


class TooManyPendingTasks(DomainError):
    """Somebody takes tasks without doing them."""

    code = "too_many_pending_tasks"
    status = 429
    default_message = _("You have too many open tasks. Finish or skip one first.")


class TaskNotFound(DomainError):
    """No such task, or somebody else's."""

    code = "task_not_found"
    status = 404
    default_message = _("This task does not exist or was given to somebody else.")


class Veiled(DomainError):
    """A copy of the task's tree is ranked blind: what it shows would tell whose a reply is."""

    code = "veiled"
    status = 409
    default_message = _(
        "A copy of this tree is being ranked by people who are not to know which answers are "
        "whose. You can look at this task again when they are done."
    )


class TaskExpired(DomainError):
    """Submitted after the last day."""

    code = "task_expired"
    status = 410
    default_message = _(
        "This task has expired. What you entered is kept as a draft; please take a new task."
    )


class TaskSkipped(DomainError):
    """Submitted after it was skipped."""

    code = "task_skipped"
    status = 409
    default_message = _("You have skipped this task. Please take a new one.")


class SlotTaken(DomainError):
    """The reservation ended and the place is gone."""

    code = "slot_taken"
    status = 409
    default_message = _(
        "Thank you! Meanwhile this conversation got what it needed, so your answer could not be "
        "added. It is kept as a draft; please take a new task."
    )


class AlreadySubmitted(DomainError):
    """Another answer to a task that is done."""

    code = "already_submitted"
    status = 409
    default_message = _("You have already submitted this task. Your first answer is kept.")


class TooLateToUndo(DomainError):
    """Taking an answer back after the moment for it has passed."""

    code = "too_late_to_undo"
    status = 409
    default_message = _(
        "Your review stays: it can be taken back only for some seconds after it was sent."
    )


class DecidedMeanwhile(TooLateToUndo):
    """Taking a review back on which something was decided."""

    code = "decided_meanwhile"
    default_message = _(
        "Your review stays: together with those of others it has decided about this message, and "
        "the conversation has moved on since. If something is wrong with the message, report it."
    )


class GoldAnswerStays(TooLateToUndo):
    """Taking an answer back after its person was told the right one."""

    code = "gold_answer_stays"
    default_message = _(
        "Your answer stays: you have been told by now what was known about this message."
    )


class WrongTaskKind(DomainError):
    """Labels for a writing task, and the like."""

    code = "wrong_task_kind"
    default_message = _("This answer does not belong to this kind of task.")


class TextEmpty(DomainError):
    """Nothing but white space."""

    code = "text_empty"
    default_message = _("Your text is empty. Please write something, or skip the task.")


class TextTooLong(DomainError):
    """Longer than `message_size_limit`."""

    code = "text_too_long"

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(
            _("Your text has %(length)d characters; at most %(limit)d are possible.")
            % {"length": length, "limit": limit}
        )


class TextInvalid(DomainError):
    """Characters that no database or reader can handle."""

    code = "text_invalid"
    default_message = _(
        "Your text contains characters that cannot be stored. Please type it again as plain text."
    )


class DuplicateText(DomainError):
    """The same text by the same person a short while ago."""

    code = "duplicate_text"
    default_message = _(
        "You have sent exactly this text a short while ago. Please write something new."
    )


class SimilarText(DomainError):
    """Somebody has said nearly the same. A hint that an author meets once, no rule."""

    code = "similar_text"
    status = 409
    default_message = _(
        "Something very similar is there already: look at it below. Send yours again if you want "
        "to add it all the same."
    )


class FollowsTooMany(DomainError):
    """A limit of conversations that one person follows."""

    code = "follows_too_many"
    status = 409
    default_message = _(
        "You follow as many conversations as one can. Leave one that you no longer need, then "
        "follow this one."
    )


class TooManyTopics(DomainError):
    """More topics than a conversation has."""

    code = "too_many_topics"
    default_message = _("A conversation has three topics at most. Take some away.")


class TopicsNotYours(DomainError):
    """Topics of a conversation that somebody neither began nor reviewed."""

    code = "topics_not_yours"
    status = 403
    default_message = _(
        "Topics are chosen by whoever wrote or reviewed the first prompt, and by moderators. If "
        "one is wrong, report the prompt and say which."
    )


class DuplicateReply(DomainError):
    """A second reply by the same person below the same message."""

    code = "duplicate_reply"
    status = 409
    default_message = _("You have already replied to this message. Please take another task.")


class SelfReview(DomainError):
    """Labels or a ranking for one's own message."""

    code = "self_review"
    status = 403
    default_message = _("You cannot review or rank your own message. Please skip this task.")


class AlreadyReviewed(DomainError):
    """A second review or ranking of the same thing by the same person."""

    code = "already_reviewed"
    status = 409
    default_message = _("You have already reviewed this. Please take another task.")


class NoLongerNeeded(DomainError):
    """The message was deleted or its tree stopped."""

    code = "no_longer_needed"
    status = 409
    default_message = _(
        "Thank you! Meanwhile this conversation was closed, so your answer is not needed any "
        "more. Please take another task."
    )


class InvalidRanking(DomainError):
    """Not an order of exactly the replies shown."""

    code = "invalid_ranking"
    default_message = _("Please give every reply exactly one place, and submit again.")


class UnderReview(DomainError):
    """What became of a message would sway the reader's own review, or tell a gold item from a
    message in review."""

    code = "under_review"
    status = 409
    default_message = _(
        "You are reviewing a message of this conversation. All of it shows once you have "
        "sent or skipped your review."
    )


class MessageNotFound(DomainError):
    """No such message, or not for this person."""

    code = "message_not_found"
    status = 404
    default_message = _("This message does not exist.")


class TextStays(DomainError):
    """An author wants to change a message that others have begun to judge."""

    code = "text_stays"
    status = 409
    default_message = _(
        "Somebody has begun to look at this message, so its text stays as it is. What they judge "
        "should be what you sent."
    )


class TextChanged(DomainError):
    """An author changes a text that they have changed elsewhere meanwhile."""

    code = "text_changed"
    status = 409
    default_message = _(
        "You have changed this message elsewhere meanwhile. What you entered here is still in the "
        "field; save it again if it should replace the other text."
    )


class ReasonMissing(DomainError):
    """A moderator did not say why."""

    code = "reason_missing"
    default_message = _("Please give a reason; it is kept with what you did.")


class ReasonTooLong(DomainError):
    """A reason that does not fit."""

    code = "reason_too_long"

    def __init__(self, limit: int) -> None:
        super().__init__(_("Please give a reason of at most %d characters.") % limit)
