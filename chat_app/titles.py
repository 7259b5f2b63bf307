"""Makes a short title of the first prompt of a chat, without a model. Pure."""

import re

MAX_CHARS = 60

_CODE = re.compile(r"```.*?(```|\Z)", re.DOTALL)
_MARKUP = re.compile(r"[#*_`>|~]+|!?\[([^\]]*)\]\([^)]*\)|https?://\S+")
_SPACES = re.compile(r"\s+")
# What people say before they say what they want; taken off as long as something is left.
_OPENINGS = re.compile(
    r"""^(?:
      (?:hi|hello|hey|good\ (?:morning|afternoon|evening)|dear)\b(?:\ (?:there|assistant|all|chat))?
    | (?:please|kindly|ok|okay|so|well|um|thanks|thank\ you)\b
    | (?:can|could|would|will)\ you\b(?:\ (?:please|kindly|help\ me(?:\ to)?|tell\ me))?
    | (?:i\ (?:would\ like|want|need)|i'd\ like)\ (?:you\ )?to\b
    | (?:help\ me(?:\ to)?|tell\ me|show\ me|give\ me)\b
    )[\s,.!:;-]*""",
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")


def title_for(text: str) -> str:
    """Give the gist of a prompt in at most 60 characters; "" if it holds no words.

    Code and markup go, so do greetings and "could you please"; then the first sentence, cut
    between words.
    """
    plain = _plain(_CODE.sub(" ", text)) or _plain(text.replace("```", " "))
    wish = _without_openings(plain)
    sentence = next((part for part in _SENTENCE_END.split(wish) if _has_word(part)), wish)
    short = _shorten(sentence.strip().rstrip(".。:;, "))
    return short[:1].upper() + short[1:] if _has_word(short) else ""


def _plain(text: str) -> str:
    return _SPACES.sub(" ", _MARKUP.sub(lambda found: found.group(1) or " ", text)).strip()


def _without_openings(text: str) -> str:
    while True:
        rest = _OPENINGS.sub("", text, count=1)
        if rest == text or not _has_word(rest):
            return text
        text = rest


def _has_word(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _shorten(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    head, _space, _rest = text[:MAX_CHARS].rpartition(" ")
    return (head or text[: MAX_CHARS - 1]).rstrip(",;:.- ") + "…"
