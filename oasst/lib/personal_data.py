"""Finds e-mail addresses, phone numbers, bank accounts, cards and IP addresses in a text. Pure.

Patterns, with check digits where there are some: it knows no names and no streets. Phone numbers
are found by how they are written, not by who may have which: made-up ones are found, too.
`docs/experiments.md` says how much of published samples it finds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

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
    Digits of all scripts count.
    """
    found: list[Span] = []
    left = _plain(text)
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
    """Whether a country has such codes and the check digits are right (ISO 13616: 1 modulo 97)."""
    if len(code) != _IBAN_LENGTHS.get(code[:2].upper()):
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


def _plain(text: str) -> str:
    """The text with ASCII digits and spaces, one character for one: offsets stay."""
    if text.isascii():
        return text
    return _OTHER_DIGIT.sub(lambda found: str(int(found.group())), text).translate(_PLAIN)


_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
# No-break spaces and hyphens, full-width brackets, plus and hyphen.
_PLAIN = str.maketrans("\u00a0\u202f\u2010\u2011\uff08\uff09\uff0b\uff0d", "  --()+-")
_EMAIL = re.compile(
    r"(?<![\w.+-]) [\w.+-]{1,64} @ (?: [\w-]{1,63} \. ){1,4} [a-z]{2,24} \b", re.I | re.X
)
# By country, from the registry of ISO 13616, and those in use beside it.
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "AO CV GW LY MZ PT ST", 26: "DZ IR IS TR",
        27: "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD",
        28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def _iban(length: int) -> str:
    """The pattern of codes that are so long, in fours or in one piece."""
    countries = "|".join(each for each, its in _IBAN_LENGTHS.items() if its == length)
    fours, rest = divmod(length - 4, 4)
    tail = f" ?[A-Z0-9]{{{rest}}}" if rest else ""
    return rf"(?:{countries})\d{{2}}(?: ?[A-Z0-9]{{4}}){{{fours}}}{tail}"


_IBAN = re.compile(
    rf"\b(?=[A-Z]{{2}}\d\d)(?:{'|'.join(map(_iban, sorted(set(_IBAN_LENGTHS.values()))))})\b",
    re.IGNORECASE | re.ASCII,
)
# As printed on cards: in fours, American Express in 4-6-5, or in one piece.
_CARD = re.compile(
    r"(?<![\w.,+-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{5}|\d{12,19})(?![\w-])",
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
_MONEY = "$€£¥"
# After a number that is none of a phone: digits, money, units.
_GOES_ON = rf"""[\w%] | [- .:]? \d | [ ]? (?: [{_MONEY}₽₹元%]
    | (?: EUR | USD | GBP | CHF | RUB | k?m | k?g | m?s | k?Hz | bytes ) \b )"""
# Not out of the middle of a number, of a list of numbers, or of an amount of money.
_PHONE = re.compile(
    rf"""(?= [+(\d] ) (?<! [\w/{_MONEY}-] ) (?<! \d [.] ) (?<! [\d{_MONEY}] [ ] ) (?<! \d , ) (?:
    # Some digits in groups.
      (?: (?: \+ [ ]? \d{{1,3}} | 1 ) [- .]? )? (?: \(\d{{1,4}}\) [- .]? )?
          \d{{2,5}} (?: [- .] \d{{2,5}} ){{2,4}} (?: [ ]? x \d{{1,5}} )?
    | \+ \d{{1,3}} [- .]? (?: \(\d{{1,4}}\) [- .]? )? \d{{1,4}} (?: [- .] \d{{2,4}} ){{2,4}}
          (?: [ ]? x \d{{1,5}} )?
    # What groups do not show, the international prefix does; two zeros alone are not enough.
    | \+ \d{{8,15}}
    | 00 [1-9] \d{{10,13}}
    | (?: \+ | 00 (?= [1-9] ) ) \d{{1,3}} (?: [- ]? \(\d{{1,4}}\) [- ]? | [- ] )
          \d{{1,12}} (?: [- /] \d{{1,10}} ){{0,5}}
    # An area in brackets, or a trunk zero.
    | \( \d{{2,4}} \) [ ]? \d{{3,4}} [- .]? \d{{4}} (?: [ ]? x \d{{1,5}} )?
    | \( 0 \d{{1,5}} \) [ /-]? \d{{3,5}} [ -]? \d{{2,6}}
    | 0 [1-9] \d{{1,4}} [-/ ] \d{{5,8}}
    | 0 [1-9] [ ] \d{{7,9}}
    | 0 [1-9] \d{{7,10}}
    # Russia and Kazakhstan have an eight for it.
    | 8 [ -]? \(\d{{3,5}}\) [ -]? \d{{1,3}} (?: [ -]? \d{{2}} ){{2}}
    | 8 [ -] \d{{3}} [ -] \d{{3}} [ -]? \d{{2}} [ -]? \d{{2}}
    | 8 [ -]? [79]\d{{2}} [ -]? \d{{7}}
    # China's mobile phones have neither.
    | 1 [3-9] \d [ -]? \d{{8}}
    # These only where a word says that they are.
    | (?P<said> \d{{7,11}} | \d{{2,4}} [- ] \d{{3,8}} )
    ) (?! {_GOES_ON} )""",
    re.VERBOSE | re.ASCII,
)
# Thousands: 149 597 870 700. Nine digits and fewer may be a phone number, as in Spain.
_AMOUNT = re.compile(r"[1-9]\d{0,2}(?:[ .]\d{3}){2,}")
# Before a number that is none of a phone: a book's, one in a formula.
_NO_PHONE = re.compile(r"(?: \b ISBN (?:-1[03])? :? [ ] | [*^×÷] [ ]? | [=≈] [ ] )$", re.I | re.X)
# Before one that is: the word for a phone, where a number alone says too little.
_SAID = re.compile(
    r"""(?: \b (?: (?:tele)?(?:phone|fon) (?:nummer)? | t[eé]l (?:[eé]phone|[eé]fono)? | tlf
            | mobile? | m[oó]vil | celular | handy (?:nummer)? | portable | fax | whatsapp
            | тел (?:ефон\w{0,2})? | моб )
            | (?: هاتف | جوال | موبايل ) ي? | 电话 | 電話 | 手机 | 手機 )
        (?: [ ] (?: number | no | nr | n[º°] ) \b | 号码? | 號碼? )?
        (?: [ ] (?: is | ist | es | est ) \b | 是 )? [.:：="' ]{0,4} $""",
    re.IGNORECASE | re.VERBOSE,
)
# The number before, in a list.
_LISTED = re.compile(r"(\d+)[,;] ?$")
_DATE = re.compile(
    r"^[12]\d{3}[-. ]\d{1,2}[-. ]\d{1,2}(?!\d)|^\d{1,2}[-.]\d{1,2}[-.][12]\d{3}(?!\d)"
)


def _is_card(found: re.Match[str]) -> bool:
    return is_card_number(re.sub(r"[ -]", "", found.group()))


def _is_iban(found: re.Match[str]) -> bool:
    return is_iban(found.group().replace(" ", ""))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_public_address(found: re.Match[str]) -> bool:
    address = _address(found.group())
    if address is None:
        return False
    return address.is_global or (address.version == 6 and not address.is_private)


def _is_phone(found: re.Match[str]) -> bool:
    number = found.group()
    before = found.string[max(0, found.start() - 30) : found.start()]
    if found["said"]:
        return _SAID.search(before) is not None
    digits = sum(char.isdigit() for char in number.partition("x")[0])
    if not 8 <= digits <= 15 or _DATE.match(number) or _address(number) is not None:
        return False
    if number.startswith("00") and digits < 11:
        return False
    if digits > 9 and _AMOUNT.fullmatch(number):
        return False
    return not _NO_PHONE.search(before) and not (number.isdecimal() and _is_series(number, before))


def _is_series(number: str, before: str) -> bool:
    """Whether it is 0123456789, 0110100101, or comes after one of another length in a list."""
    other = _LISTED.search(before)
    return (
        number in "01234567890"
        or len(set(number)) < 3
        or (other is not None and len(other[1]) != len(number))
    )


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
