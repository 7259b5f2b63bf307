"""Finds e-mail addresses, phone numbers, bank accounts, cards and IP addresses in a text. Pure.

Patterns, with check digits where there are some: it knows no names and no streets.
`docs/experiments.md` says how much of published samples it finds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

SCRUB_HELP = "replace e-mail addresses, numbers of phones, cards and accounts, and IP addresses"


@dataclass(frozen=True, order=True)
class Span:
    """One place in a text: offsets in characters, `end` excluded, and a kind of `KINDS`."""

    start: int
    end: int
    kind: str


def find(text: str, kinds: frozenset[str] | None = None) -> list[Span]:
    """What the text seems to hold, in order and without overlap; all kinds by default.

    What one kind has found is not looked at for the next: a card number is no phone number.
    """
    found: list[Span] = []
    left = text
    for kind, (pattern, is_one) in _RULES.items():
        if kinds is not None and kind not in kinds:
            continue
        spans = [Span(*m.span(), kind) for m in pattern.finditer(left) if is_one(m)]
        for span in spans:
            gap = "\0" * (span.end - span.start)
            left = left[: span.start] + gap + left[span.end :]
        found += spans
    return sorted(found)


def count(text: str) -> dict[str, int]:
    """How many of which kind a text seems to hold; kinds that it lacks are left out."""
    return dict(Counter(span.kind for span in find(text)))


class Scrubber:
    """Puts `[e-mail]`, `[phone]` … in the place of what `find` finds, and counts by kind."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)

    def __call__(self, text: str) -> str:
        for span in reversed(find(text)):
            text = f"{text[: span.start]}[{span.kind}]{text[span.end :]}"
            self.counts[span.kind] += 1
        return text

    def told(self) -> str:
        """What was replaced, as a line for the command line."""
        return "Replaced: " + ", ".join(f"{n} {kind}" for kind, n in self.counts.items())


def is_card_number(digits: str) -> bool:
    """Whether the check digit is right (Luhn, ISO/IEC 7812-1) and an issuer has such numbers."""
    if not _ISSUED.fullmatch(digits) or len(set(digits)) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(code: str) -> bool:
    """Whether the check digits are right (ISO 13616: modulo 97 is 1)."""
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


_EMAIL = re.compile(
    r"(?<![\w.+-]) [\w.+-]{1,64} @ (?: [\w-]{1,63} \. ){1,4} [a-z]{2,24} \b", re.I | re.X
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
# As printed on cards: in fours, American Express in 4-6-5, or in one piece.
_CARD = re.compile(
    r"(?<![\w.,-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{5}|\d{12,19})(?![\w-])",
    re.ASCII,
)
# First digits and lengths: JCB, Diners and American Express, Visa, Mastercard, Maestro, Discover.
_ISSUED = re.compile(
    r"(?:2131|1800)\d{11} | 3\d{13,18} | 4\d{12} (?:\d{3} (?:\d{3})? )? | 5[1-5]\d{14}"
    r"| (?: 222[1-9] | 22[3-9]\d | 2[3-6]\d\d | 27[01]\d | 2720 ) \d{12} | 6\d{13,18}"
    r"| (?: 50[0-9]\d | 5[678]\d\d | 6[0-9]\d\d ) \d{8,15}",
    re.VERBOSE | re.ASCII,
)
_IP = re.compile(
    r"(?<![\w.:]) (?: (?:\d{1,3}\.){3}\d{1,3} (?! [\w.]*\d )"
    r"| (?: [0-9a-f]{0,4} : ){2,7} [0-9a-f]{1,4} (?! [\w:] ) )",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
# Not out of the middle of a list of numbers. Some digits in groups; what groups do not show, a
# plus, an area in brackets or a trunk zero does.
_PHONE = re.compile(
    r"""(?<! [\w./-] ) (?<! \d [ ,] ) (?:
      (?: (?: \+ [ ]? \d{1,3} | 1 ) [- .]? )? (?: \(\d{1,4}\) [- .]? )?
          \d{2,5} (?: [- .] \d{2,5} ){2,4} (?: [ ]? x \d{1,5} )?
    | \+ \d{1,3} [- .]? (?: \(\d{1,4}\) [- .]? )? \d{1,4} (?: [- .] \d{2,4} ){2,4}
          (?: [ ]? x \d{1,5} )?
    | \+ \d{9,15}
    | \( \d{2,4} \) [ ]? \d{3,4} [- .]? \d{4} (?: [ ]? x \d{1,5} )?
    | 0 \d{2,4} [-/] \d{6,8}
    ) (?! [\w%] | [ ]? \d )""",
    re.VERBOSE | re.ASCII,
)
_DATE = re.compile(
    r"^[12]\d{3}[-. ]\d{1,2}[-. ]\d{1,2}(?!\d)|^\d{1,2}[-.]\d{1,2}[-.][12]\d{3}(?!\d)"
)


def _is_card(found: re.Match[str]) -> bool:
    return is_card_number(re.sub(r"[ -]", "", found.group()))


def _is_iban(found: re.Match[str]) -> bool:
    return is_iban(found.group().replace(" ", ""))


def _is_public_address(found: re.Match[str]) -> bool:
    try:
        address = ip_address(found.group())
    except ValueError:
        return False
    return address.is_global or (address.version == 6 and not address.is_private)


def _is_phone(found: re.Match[str]) -> bool:
    digits = sum(char.isdigit() for char in found.group().partition("x")[0])
    return 8 <= digits <= 15 and not _DATE.match(found.group())


# The order in which they are looked for.
_RULES: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], bool]]] = {
    "e-mail": (_EMAIL, bool),
    "IBAN": (_IBAN, _is_iban),
    "card": (_CARD, _is_card),
    "IP": (_IP, _is_public_address),
    "phone": (_PHONE, _is_phone),
}
KINDS = tuple(_RULES)
PAYMENT = frozenset({"IBAN", "card"})  # their check digits are right
CONTACT = frozenset(KINDS) - PAYMENT
