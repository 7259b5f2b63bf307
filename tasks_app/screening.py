"""What makes a text wait for a moderator before anybody else sees it: personal data, listed words,
what a model takes for spam.

Off or on by the tunables `hold_…`. What was found is kept in `Message.findings`: a list of
`{"kind", "start", "end"}`, offsets in characters; kinds are those of `personal_data`, or "word".
Spam is in no one place: `{"kind": "spam", "score", "threshold"}`.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from oasst.lib import personal_data
from oasst.lib.characters import JOINED
from tasks_app import spam
from tasks_app.config import TreeConfig
from tasks_app.models import Message

WORD = "word"
# In these scripts a listed word may stand anywhere.
_JOINED = re.compile(f"[{JOINED}]")


def examine(text: str, lang: str, config: TreeConfig) -> list[dict[str, Any]]:
    """What a moderator should look at first; empty if the text may go its way."""
    kinds = personal_data.PAYMENT if config.hold_payment_numbers else frozenset()
    if config.hold_contact_data:
        kinds |= personal_data.CONTACT
    spans = personal_data.find(text, kinds) if kinds else []
    found = [{"kind": span.kind, "start": span.start, "end": span.end} for span in spans]
    if pattern := _pattern(config.hold_words, lang):
        found += [
            {"kind": WORD, "start": match.start(), "end": match.end()}
            for match in pattern.finditer(text)
        ]
    if config.hold_spam and (verdict := spam.judge(text)) and verdict.is_spam:
        found.append({"kind": spam.KIND, **verdict._asdict()})
    return found


class Found(NamedTuple):
    """What a message is held for: the words of it, or what a model says of the whole."""

    kind: str
    text: str = ""
    verdict: spam.Verdict | None = None


def shown(message: Message) -> list[Found]:
    """Everything that a message is held for; only kinds if staff changed the text since."""
    return [_shown(found, message.text) for found in message.findings or ()]


def _shown(found: dict[str, Any], text: str) -> Found:
    if "start" in found:
        return Found(found["kind"], text[found["start"] : found["end"]])
    if "score" in found:
        return Found(found["kind"], verdict=spam.Verdict(found["score"], found["threshold"]))
    return Found(found["kind"])


def forget_places(findings: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The same without offsets and scores, once the text is another."""
    return findings and [{"kind": found["kind"]} for found in findings]


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...], lang: str) -> re.Pattern[str] | None:
    """All entries of a list that hold for a language, longest first; None if there are none."""
    entries = [_entry(word, lang) for word in sorted(words, key=len, reverse=True)]
    kept = [entry for entry in entries if entry]
    return re.compile("|".join(kept), re.IGNORECASE) if kept else None


def _entry(word: str, lang: str) -> str:
    """`word`, `word*` or `lang:word` as a pattern; empty if it is for another language."""
    tag, colon, rest = word.partition(":")
    if colon and tag != lang:
        return ""
    word = rest.strip() if colon else word
    stem = word.removesuffix("*")
    if not stem:
        return ""
    pattern = r"\s+".join(map(re.escape, stem.split()))
    if _JOINED.search(stem):
        return pattern
    return rf"(?<!\w){pattern}" + (r"\w*" if word.endswith("*") else r"(?!\w)")
