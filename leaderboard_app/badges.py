"""Badges, for quality as well as for number. They follow from one's standing, so nobody keeps one
for what was taken back (pure)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Kind:
    """A badge in up to three grades."""

    code: str
    title: str | Promise
    text: str | Promise  # with %(goal)s
    icon: str
    grades: tuple[int, ...]
    value: Callable[[Numbers], float]
    for_quality: bool = False


@dataclass(frozen=True)
class Badge:
    """How far somebody is with one kind."""

    kind: Kind
    grade: int  # 0: not yet
    value: int

    @property
    def goal(self) -> int | None:
        """What the next grade takes; None after the last."""
        grades = self.kind.grades
        return grades[self.grade] if self.grade < len(grades) else None

    @property
    def words(self) -> str:
        """What the grade that somebody has (or else the first one) is for."""
        return str(self.kind.text) % {"goal": self.kind.grades[max(self.grade - 1, 0)]}

    @property
    def next_words(self) -> str:
        """What the next grade is for."""
        return str(self.kind.text) % {"goal": self.goal} if self.goal else ""


def _share_of(part: str, whole: str, enough: int) -> Callable[[Numbers], float]:
    """Percent, once there is enough to tell."""

    def value(n: Numbers) -> float:
        return 100 * n[part] / n[whole] if n[whole] >= enough else 0

    return value


def _closeness(n: Numbers) -> float:
    return 100 * n["closeness"] if n["votes"] >= ENOUGH_VOTES else 0


ENOUGH_TEXTS, ENOUGH_VOTES = 5, 10

KINDS = (
    Kind("welcome", _("Well received"), _("%(goal)s %% of at least five texts accepted"),
         "circle-check", (80, 90, 100), _share_of("accepted", "texts", ENOUGH_TEXTS), True),
    Kind("first", _("First choice"), _("First places among the replies: %(goal)s"),
         "trophy", (1, 10, 50), lambda n: n["firsts"], True),
    Kind("judge", _("Fair judge"),
         _("Answers %(goal)s %% close to the others’, in at least ten votes"),
         "scale", (80, 88, 95), _closeness, True),
    Kind("writer", _("Writer"), _("Texts accepted: %(goal)s"),
         "pencil", (1, 25, 250), lambda n: n["accepted"]),
    Kind("reviewer", _("Reviewer"), _("Reviews confirmed: %(goal)s"),
         "list-checks", (10, 100, 1000), lambda n: n["reviews"]),
    Kind("ranker", _("Ranker"), _("Rankings confirmed: %(goal)s"),
         "arrow-up-down", (5, 50, 500), lambda n: n["rankings"]),
    Kind("streak", _("Faithful"), _("Days in a row: %(goal)s"),
         "flame", (3, 14, 60), lambda n: n["longest"]),
    Kind("tongues", _("Many tongues"), _("Languages with confirmed points: %(goal)s"),
         "languages", (2, 3, 5), lambda n: n["langs"]),
)  # fmt: skip


def of(numbers: Numbers) -> list[Badge]:
    """Every badge with its grade; `numbers` are a standing, `longest` streak and `langs`."""
    badges = []
    for kind in KINDS:
        value = int(kind.value(numbers) + 1e-9)
        badges.append(Badge(kind, sum(value >= goal for goal in kind.grades), value))
    return badges


def earned(numbers: Numbers) -> list[Badge]:
    """Those that somebody has, quality first, higher grades first."""
    mine = [badge for badge in of(numbers) if badge.grade]
    return sorted(mine, key=lambda badge: (not badge.kind.for_quality, -badge.grade))
