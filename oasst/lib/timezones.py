"""Time zones that people can choose, by their names in the IANA database."""

from functools import cache
from zoneinfo import available_timezones

_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian",
          "Pacific")  # fmt: skip


@cache
def known() -> list[str]:
    """UTC and all places, in order of their names."""
    places = (
        name for name in available_timezones() if name.startswith(tuple(f"{a}/" for a in _AREAS))
    )
    return ["UTC", *sorted(places)]
