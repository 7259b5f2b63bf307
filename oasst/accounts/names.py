"""Which display names, and names of people's own things, are allowed. Pure."""

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError

MAX_LENGTH = 40
MOST_MARKS_IN_A_ROW = 3

# Joiners are needed to write Persian, Hindi and many emoji; other invisible characters are not.
_JOINERS = {"\u200c", "\u200d"}
# Control, format (text direction, zero width), surrogate, private use, unassigned, separators.
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK_LOOKING = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}


class BadName(DomainError):
    code = "bad_name"


def clean(text: str, *, max_length: int = MAX_LENGTH) -> str:
    """The name as it is kept: composed, with single spaces. Raises BadName."""
    name = re.sub(r" +", " ", unicodedata.normalize("NFC", text)).strip()
    if any(_is_forbidden(character) for character in name):
        raise BadName(_("Names cannot contain invisible or text-direction characters."))
    if len(name) > max_length:
        numbers = {"most": max_length, "count": len(name)}
        raise BadName(
            _("Names have at most %(most)d characters. This one has %(count)d.") % numbers
        )
    if not any(_is_visible(character) for character in name):
        raise BadName(_("Please give a name with at least one letter or digit."))
    if _longest_run_of_marks(name) > MOST_MARKS_IN_A_ROW:
        raise BadName(_("Names cannot stack that many accents on one letter."))
    return name


def _is_forbidden(character: str) -> bool:
    if character in _JOINERS:
        return False
    return unicodedata.category(character) in _FORBIDDEN or character in _BLANK_LOOKING


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNS"


def _longest_run_of_marks(name: str) -> int:
    longest = run = 0
    for character in name:
        run = run + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        longest = max(longest, run)
    return longest
