"""What the chat says no with. Texts are shown to people: what happened, then what to do."""

from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError


class ChatNotFound(DomainError):
    """No such chat or message, or it is somebody else's."""

    code = "not_found"
    status = 404
    default_message = _("This conversation does not exist, or it is not yours.")


class SearchTooSlow(DomainError):
    """The database gave up on a search."""

    code = "search_too_slow"
    status = 503
    default_message = _("This search takes too long. Ask for fewer words, or rarer ones.")


class TextEmpty(DomainError):
    code = "text_empty"
    default_message = _("There is nothing to send yet. Write a message first.")


class TextInvalid(DomainError):
    """Null characters or half characters, which no database stores."""

    code = "text_invalid"
    default_message = _("This text holds characters that cannot be stored. Remove them.")


class KeyReused(DomainError):
    """The same key came with another text."""

    code = "key_reused"
    status = 409
    default_message = _("This was sent already, with another text. Reload the page to see it.")


class TextTooLong(DomainError):
    code = "text_too_long"
    status = 413
    default_message = _("This message is too long. Shorten it and send it again.")


class BadParent(DomainError):
    """A prompt must follow a finished reply of the same chat, a reply must follow a prompt."""

    code = "bad_parent"
    status = 409
    default_message = _("This does not fit here any more. Reload the page to see the conversation.")


class ReplyUnderWay(DomainError):
    code = "reply_under_way"
    status = 409
    default_message = _("A reply is still being written. Wait for it, or stop it first.")


class ModelNotOnOffer(DomainError):
    code = "model_not_on_offer"
    status = 422
    default_message = _("This model is not on offer any more. Choose another one.")


class QueueFull(DomainError):
    """Nothing was stored but the prompt; the reply may be asked for again."""

    code = "queue_full"
    status = 503
    default_message = _("Too many people are waiting at the moment. Try again in a minute.")


class TooManyWaiting(DomainError):
    code = "too_many_waiting"
    status = 429
    default_message = _("You have several replies waiting already. Wait for one of them first.")


class ChatTooLong(DomainError):
    code = "chat_too_long"
    status = 413
    default_message = _("This conversation has reached its limit. Start a new one.")


class NothingToContinue(DomainError):
    """Only a reply that broke off, was stopped or reached its limit goes on."""

    code = "nothing_to_continue"
    status = 409
    default_message = _("This reply is complete. Write a message to go on.")


class InvalidVote(DomainError):
    """A thumb, reason or report that does not exist, or on a message that takes none."""

    code = "invalid_vote"
    default_message = _("This cannot be stored. Reload the page and try again.")


class InvalidSettings(DomainError):
    """Sampling parameters or a preset are wrong; the message names the parameter."""

    code = "invalid_settings"
    status = 422


class TextHeld(DomainError):
    """The safety check holds this text back."""

    code = "text_held"
    status = 422
    default_message = _(
        "This message was held back, because it may put somebody at risk. "
        "Please say it another way."
    )
