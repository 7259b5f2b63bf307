"""Every number that tunes the data collection, and the overrides that admins store.

`TreeConfig.current()` reads defaults, then `settings.TREE_CONFIG` (environment), then the newest
`ConfigChange` of each name. Call it once per transaction and pass the result on. Simulations set
their own values with `overridden()`.
"""

import dataclasses
import random
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError


class InvalidSetting(DomainError):
    """A tunable got a name or value that does not fit."""

    code = "invalid_setting"


_simulated: ContextVar[Mapping[str, Any]] = ContextVar("simulated", default={})  # noqa: B039


@contextmanager
def overridden(**values: Any) -> Iterator[None]:
    """Let `values` hold in this thread, above what admins stored: for simulated crowds only."""
    token = _simulated.set({**_simulated.get(), **values})
    try:
        yield
    finally:
        _simulated.reset(token)


@dataclass(frozen=True)
class TreeConfig:
    """Tunables of trees, reviews, rankings and tasks; names and defaults of the original."""

    # Trees
    max_active_trees: int = 10  # growing trees per language; the lottery fills up to this
    max_initial_prompt_review: int = 100  # prompts in review per language before no more are wanted
    max_prompt_lottery_waiting: int = 250  # accepted prompts waiting per language, likewise
    max_tree_depth: int = 3  # the root has depth 0; parents must be less deep than this
    max_children_count: int = 3  # replies per message
    num_prompter_replies: int = 1  # prompter replies per assistant message
    goal_tree_size: int = 12  # accepted messages, root included, that complete a tree
    random_goal_tree_size: bool = False  # draw the goal from [min_goal_tree_size, goal_tree_size]
    min_goal_tree_size: int = 5
    init_prompt_disabled_langs: tuple[str, ...] = ()  # languages where no prompts are wanted
    # Reviews
    num_reviews_initial_prompt: int = 3
    num_reviews_reply: int = 3
    acceptance_threshold_initial_prompt: float = 0.6  # strictly greater is accepted
    acceptance_threshold_reply: float = 0.6
    p_full_labeling_review_prompt: float = 1.0  # chance of the full form
    p_full_labeling_review_reply_assistant: float = 1.0
    p_full_labeling_review_reply_prompter: float = 0.25
    # Rankings
    num_required_rankings: int = 3
    rank_prompter_replies: bool = False
    # Auto-moderation
    auto_mod_enabled: bool = True
    auto_mod_max_skip_reply: int = 25  # so many skips of one message halt its tree
    auto_mod_red_flags: int = 4  # so many red flags delete a reply or abort a prompt's tree
    # Backlog
    p_activate_backlog_tree: float = 0.1  # chance per tree that leaves the active states
    min_active_rankings_per_lang: int = 0  # > 0: top up from the backlog below this
    # Choice of tasks
    lonely_children_count: int = 2  # a prompter message with fewer replies is lonely
    p_lonely_child_extension: float = 0.75  # chance that a lonely one is preferred
    weight_ranking: float = 10.0
    weight_label_reply: float = 5.0
    weight_label_prompt: float = 5.0
    weight_reply: float = 2.0
    weight_initial_prompt: float = 0.01
    recent_tasks_span_s: int = 300
    max_pending_tasks_per_user: int = 8  # open tasks handed out within that span
    # Time and size
    task_validity_minutes: int = 2880  # a task can be submitted for two days
    reservation_write_minutes: int = 30  # its slot is held so long, then while the page is open
    reservation_review_minutes: int = 10
    message_size_limit: int = 2000  # characters
    duplicate_message_window_minutes: int = 120

    @classmethod
    def defaults(cls) -> Self:
        """Defaults and environment, without what admins stored."""
        return cls(**parse_all(settings.TREE_CONFIG))

    @classmethod
    def current(cls) -> Self:
        """What holds now. One query."""
        values = {**ConfigChange.objects.overrides(), **_simulated.get()}
        return dataclasses.replace(cls.defaults(), **values)

    def goal_for_new_tree(self, rng: random.Random) -> int:
        """Goal size of a tree that starts now."""
        if not self.random_goal_tree_size:
            return self.goal_tree_size
        return rng.randint(self.min_goal_tree_size, self.goal_tree_size)

    def reviews_needed(self, *, is_root: bool) -> int:
        """How many reviews decide on a message."""
        return self.num_reviews_initial_prompt if is_root else self.num_reviews_reply

    def acceptance_threshold(self, *, is_root: bool) -> float:
        """The score that an accepted message must exceed."""
        if is_root:
            return self.acceptance_threshold_initial_prompt
        return self.acceptance_threshold_reply


@cache
def fields() -> dict[str, dataclasses.Field]:
    """Tunables by name."""
    return {field.name: field for field in dataclasses.fields(TreeConfig)}


@cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(TreeConfig)


def parse(name: str, value: Any) -> Any:
    """`value` (text from the environment, or JSON) as the type of the tunable `name`.

    Raises InvalidSetting, naming the setting, the value and what was expected.
    """
    if name not in fields():
        raise InvalidSetting(f"{name}: there is no such setting.")
    kind = _types()[name]
    try:
        parsed = _PARSERS[_origin(kind)](value)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"{name}={value!r}: expected {_EXPECTED[_origin(kind)]}.") from error
    if isinstance(parsed, int | float) and parsed < 0:
        raise InvalidSetting(f"{name}={value!r}: must not be negative.")
    if name.startswith("p_") and parsed > 1:
        raise InvalidSetting(f"{name}={value!r}: a chance lies between 0 and 1.")
    return parsed


def parse_all(values: dict[str, Any]) -> dict[str, Any]:
    """Parse several settings; names may be upper case, as in the environment."""
    return {name.lower(): parse(name.lower(), value) for name, value in values.items()}


def _origin(kind: Any) -> Any:
    return typing.get_origin(kind) if isinstance(kind, types.GenericAlias) else kind


def _parse_bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in {"true", "1", "yes", "on"}:
        return True
    if text in {"false", "0", "no", "off"}:
        return False
    raise ValueError(value)


def _parse_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _parse_float(value: Any) -> float:
    parsed = float(value)
    if parsed != parsed or parsed in (float("inf"), float("-inf")):
        raise ValueError(value)
    return parsed


def _parse_list(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(str(item).strip() for item in items if str(item).strip())


_PARSERS = {bool: _parse_bool, int: _parse_int, float: _parse_float, tuple: _parse_list}
_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a comma-separated list",
}


class ConfigChangeQuerySet(models.QuerySet["ConfigChange"]):
    """Questions about stored overrides."""

    def newest(self) -> "ConfigChangeQuerySet":
        """The last change of each name."""
        return self.order_by("name", "-id").distinct("name")

    def overrides(self) -> dict[str, Any]:
        """Values in force by name; a change to null has gone back to the default."""
        rows = self.newest().values_list("name", "value")
        return {name: parse(name, value) for name, value in rows if value is not None}


class ConfigChange(models.Model):
    """One change of one tunable by an admin. Never edited: the newest of a name is in force."""

    name = models.CharField(_("setting"), max_length=64)
    value = models.JSONField(_("new value"), null=True, help_text=_("Empty: back to the default."))
    old_value = models.JSONField(_("old value"), null=True)
    reason = models.CharField(_("reason"), max_length=500)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(_("when"))

    objects = ConfigChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("configuration change")
        indexes = [models.Index(fields=["name", "-id"], name="configchange_newest")]

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


def change(name: str, value: Any, *, actor: Any, reason: str, now: Any) -> ConfigChange:
    """Store an override (None: back to the default). Raises InvalidSetting."""
    if value is not None:
        parse(name, value)
    elif name not in fields():
        raise InvalidSetting(f"{name}: there is no such setting.")
    old = getattr(TreeConfig.current(), name)
    return ConfigChange.objects.create(
        name=name,
        value=value,
        old_value=list(old) if isinstance(old, tuple) else old,
        reason=reason,
        actor=actor,
        created_at=now,
    )
