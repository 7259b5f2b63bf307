"""What a translation has to share with its source: placeholders and tags. Pure."""

import re
from collections import Counter

# %(name)s and %s, and the %% that Django's templates make of a per cent sign.
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[#0\-+]?\d*(?:\.\d+)?[a-zA-Z]|%%|\{\w*\}")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")


def differences(sources: list[str], text: str) -> list[str]:
    """In words, how `text` departs from all of `sources`: the forms of the text it translates.

    A plural form may spell out its number ("one reply"), so it may lack a placeholder, if that has
    a name: Python counts those without one.
    """
    found = []
    allowed = [_placeholders(source) for source in sources]
    mine = _placeholders(text)
    most = Counter[str]()
    for each in allowed:
        most |= each
    if extra := mine - most:
        found.append(f"placeholders the source does not have: {_listed(extra)}")
    counted = Counter({each: n for each, n in most.items() if "(" not in each})
    needed = most if len(sources) == 1 else counted
    if missing := needed - mine:
        found.append(f"placeholders that are missing: {_listed(missing)}")
    if Counter(_TAG.findall(text)) not in [Counter(_TAG.findall(each)) for each in sources]:
        found.append("other tags than the source")
    if _has_stray_per_cent(text):
        found.append("a per cent sign that is no placeholder; write %%")
    return found


def _placeholders(text: str) -> Counter[str]:
    return Counter(match for match in _PLACEHOLDER.findall(text) if match != "%%")


def _has_stray_per_cent(text: str) -> bool:
    """In a text with placeholders every other per cent sign is doubled."""
    bare = _PLACEHOLDER.sub("", text)
    return bool(_placeholders(text)) and "%" in bare


def _listed(found: Counter[str]) -> str:
    return ", ".join(sorted(found))
