"""Every number that tunes the data collection, and the overrides that admins store.

`TreeConfig.current()` reads defaults, then `settings.TREE_CONFIG` (environment), then the newest
`ConfigChange` of each name. Call it once per transaction and pass the result on. Simulations set
their own values with `overridden()`.
"""

import dataclasses
import json
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
from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from oasst.lib import per_request, queue
from oasst.lib.errors import DomainError
from tasks_app.enums import TaskType


class InvalidSetting(DomainError):
    """A tunable got a name or value that does not fit."""

    code = "invalid_setting"


_KEY = "tree_config"
_simulated: ContextVar[Mapping[str, Any]] = ContextVar("simulated", default={})  # noqa: B039


@contextmanager
def overridden(**values: Any) -> Iterator[None]:
    """Let `values` hold in this thread, above what admins stored: for simulated crowds only."""
    token = _simulated.set({**_simulated.get(), **values})
    try:
        yield
    finally:
        _simulated.reset(token)


TREES, REVIEWS, RANKINGS = _("Trees"), _("Reviews"), _("Rankings")
AUTO_MODERATION, BACKLOG, CROWD = _("Auto-moderation"), _("Backlog"), _("Crowd quality")
CHOICE, LIMITS = _("Choice of tasks"), _("Time and size")
MOST = 2**31 - 1  # what a column of the database holds


def tunable(
    default: Any, section: Any, meaning: Any, *, least: float = 0, most: float = MOST
) -> Any:
    """One setting with the words that explain it, and the numbers between which it lies."""
    limits = {"least": least, "most": most}
    return dataclasses.field(
        default=default, metadata={"section": section, "meaning": meaning} | limits
    )


@dataclass(frozen=True)
class TreeConfig:
    """Tunables of trees, reviews, rankings and tasks; names and defaults of the original."""

    max_active_trees: int = tunable(
        10, TREES, _("Growing trees per language; the lottery fills up to this.")
    )
    max_initial_prompt_review: int = tunable(
        100, TREES, _("Prompts in review per language before no more are wanted.")
    )
    max_prompt_lottery_waiting: int = tunable(
        250, TREES, _("Accepted prompts waiting per language before no more are wanted.")
    )
    max_tree_depth: int = tunable(
        3, TREES, _("The root has depth 0; a message at this depth gets no replies.")
    )
    max_children_count: int = tunable(3, TREES, _("Replies per message."))
    num_prompter_replies: int = tunable(1, TREES, _("Prompter replies per assistant message."))
    goal_tree_size: int = tunable(
        12, TREES, _("Accepted messages, root included, that complete a tree.")
    )
    random_goal_tree_size: bool = tunable(
        False, TREES, _("Draw the goal between min_goal_tree_size and goal_tree_size.")
    )
    min_goal_tree_size: int = tunable(5, TREES, _("Smallest goal when it is drawn."))
    init_prompt_disabled_langs: tuple[str, ...] = tunable(
        (), TREES, _("Languages in which no prompts are wanted.")
    )
    num_reviews_initial_prompt: int = tunable(
        3, REVIEWS, _("Reviews that decide on a prompt."), least=1
    )
    num_reviews_reply: int = tunable(3, REVIEWS, _("Reviews that decide on a reply."), least=1)
    acceptance_threshold_initial_prompt: float = tunable(
        0.6, REVIEWS, _("An accepted prompt scores more than this.")
    )
    acceptance_threshold_reply: float = tunable(
        0.6, REVIEWS, _("An accepted reply scores more than this.")
    )
    p_full_labeling_review_prompt: float = tunable(
        1.0, REVIEWS, _("Chance of the full form for a prompt.")
    )
    p_full_labeling_review_reply_assistant: float = tunable(
        1.0, REVIEWS, _("Chance of the full form for an assistant reply.")
    )
    p_full_labeling_review_reply_prompter: float = tunable(
        0.25, REVIEWS, _("Chance of the full form for a prompter reply.")
    )
    num_required_rankings: int = tunable(
        3, RANKINGS, _("Rankings that every set of replies needs."), least=1
    )
    rank_prompter_replies: bool = tunable(
        False, RANKINGS, _("Rank the replies of prompters too, not only those of assistants.")
    )
    rank_initial_prompts: bool = tunable(
        True, RANKINGS, _("Let people rank prompts that wait in the lottery, where they choose to.")
    )
    reliability_weights: bool = tunable(
        True, CROWD, _("Let votes count by how reliable their people are; off: everybody counts 1.")
    )
    p_gold: float = tunable(
        0.05, CROWD, _("Chance that a review shows a message whose right answer is known.")
    )
    p_gold_newcomer: float = tunable(
        0.15, CROWD, _("The same chance during somebody's first reviews.")
    )
    gold_newcomer_reviews: int = tunable(20, CROWD, _("So many reviews are somebody's first."))
    gold_items_per_lang: int = tunable(
        40,
        CROWD,
        _("Up to so many gold items per language come from reviews that all agree; 0: none."),
    )
    adaptive_overlap: bool = tunable(
        False,
        CROWD,
        _("Ask for fewer reviews where they are clear and for more where people differ."),
    )
    adaptive_threshold: float = tunable(
        0.95, CROWD, _("How sure the reviews must be to decide early."), least=0.5, most=1
    )
    adaptive_least_reviews: int = tunable(2, CROWD, _("Fewest reviews then."), least=1)
    adaptive_most_reviews: int = tunable(
        5, CROWD, _("Most reviews then; if people differ still, a moderator decides."), least=1
    )
    auto_mod_enabled: bool = tunable(True, AUTO_MODERATION, _("Whether the two rules below act."))
    auto_mod_max_skip_reply: int = tunable(
        25, AUTO_MODERATION, _("So many skips of one message halt its tree."), least=1
    )
    auto_mod_red_flags: int = tunable(
        4,
        AUTO_MODERATION,
        _("So many red flags delete a reply, or end the tree of a prompt."),
        least=1,
    )
    hold_payment_numbers: bool = tunable(
        True,
        AUTO_MODERATION,
        _("Hold texts with a number of a card or bank account whose check digits are right."),
    )
    hold_contact_data: bool = tunable(
        False, AUTO_MODERATION, _("Hold texts with an e-mail address, phone number or IP address.")
    )
    hold_words: tuple[str, ...] = tunable(
        (),
        AUTO_MODERATION,
        _("Hold texts with one of these words: word, word* for any ending, de:word in German."),
    )
    hold_spam: bool = tunable(
        False,
        AUTO_MODERATION,
        _("Hold texts that the spam model takes for spam; manage.py train_spam_model trains it."),
    )
    p_activate_backlog_tree: float = tunable(
        0.1, BACKLOG, _("Chance that a tree which ends activates one of the backlog.")
    )
    min_active_rankings_per_lang: int = tunable(
        0, BACKLOG, _("Below so many open rankings per language the backlog tops up; 0: never.")
    )
    lonely_children_count: int = tunable(
        2, CHOICE, _("A prompter message with fewer replies is lonely.")
    )
    p_lonely_child_extension: float = tunable(
        0.75, CHOICE, _("Chance that a lonely message is preferred.")
    )
    weight_ranking: float = tunable(10.0, CHOICE, _("Weight of rankings in a random draw."))
    weight_label_reply: float = tunable(
        5.0, CHOICE, _("Weight of reviews of replies in a random draw.")
    )
    weight_label_prompt: float = tunable(
        5.0, CHOICE, _("Weight of reviews of prompts in a random draw.")
    )
    weight_reply: float = tunable(2.0, CHOICE, _("Weight of replies in a random draw."))
    weight_initial_prompt: float = tunable(
        0.01, CHOICE, _("Weight of new prompts in a random draw.")
    )
    recent_tasks_span_s: int = tunable(300, CHOICE, _("Seconds that the next limit looks back."))
    max_pending_tasks_per_user: int = tunable(
        8, CHOICE, _("Open tasks that one person may hold of those handed out lately."), least=1
    )
    task_validity_minutes: int = tunable(
        2880, LIMITS, _("Minutes until a task can no longer be submitted."), least=1
    )
    reservation_write_minutes: int = tunable(
        30, LIMITS, _("Minutes that a place is held for a writer; longer while the page is open.")
    )
    reservation_review_minutes: int = tunable(
        10, LIMITS, _("Minutes that a place is held for a reviewer; longer while the page is open.")
    )
    message_size_limit: int = tunable(2000, LIMITS, _("Characters of a message."), least=1)
    duplicate_message_window_minutes: int = tunable(
        120, LIMITS, _("Minutes in which the same person may not send the same text again.")
    )

    @classmethod
    def defaults(cls) -> Self:
        """Defaults and environment, without what admins stored."""
        return cls(**parse_all(settings.TREE_CONFIG))

    @classmethod
    def current(cls, *, lock: int | None = None) -> Self:
        """What holds now. One query, which can take a lock as well; see `turns.lock_user`.

        Without a lock a request asks once: it has one set of rules from its beginning to its end.
        """
        if lock is None:
            stored = per_request.once(_KEY, ConfigChange.objects.overrides)
        else:
            stored = ConfigChange.objects.overrides(lock)
        return dataclasses.replace(cls.defaults(), **{**stored, **_simulated.get()})

    def goal_for_new_tree(self, rng: random.Random) -> int:
        """Goal size of a tree that starts now."""
        if not self.random_goal_tree_size:
            return self.goal_tree_size
        least = min(self.min_goal_tree_size, self.goal_tree_size)
        return rng.randint(least, self.goal_tree_size)

    def is_switched_off(self, kind: TaskType) -> bool:
        """True for a kind of task that this site does not hand out."""
        return (kind == TaskType.RANK_PROMPTER_REPLIES and not self.rank_prompter_replies) or (
            kind == TaskType.RANK_INITIAL_PROMPTS and not self.rank_initial_prompts
        )

    def reviews_needed(
        self, *, is_root: bool, wanted: int | None = None, is_decided: bool = False
    ) -> int:
        """How many reviews decide on a message.

        `wanted` is what its last review showed, with adaptive overlap; a message that was decided
        so stays decided when that is switched off.
        """
        if wanted is not None and (self.adaptive_overlap or is_decided):
            return wanted
        if self.adaptive_overlap:
            return self.adaptive_least_reviews
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
        parsed: Any = _PARSERS[_origin(kind)](value)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"{name}={value!r}: expected {_EXPECTED[_origin(kind)]}.") from error
    least, most = (fields()[name].metadata[limit] for limit in ("least", "most"))
    if isinstance(parsed, int | float) and not least <= parsed <= most:
        raise InvalidSetting(f"{name}={value!r}: expected {least} to {most}.")
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


_OVERRIDES = """
    SELECT name, value FROM (
        SELECT DISTINCT ON (name) name, value FROM tasks_app_configchange ORDER BY name, id DESC
    ) newest WHERE value IS NOT NULL
"""
# What follows a lock asks for rows by their keys, so one plan fits all values. PostgreSQL would
# plan the long queries anew each time, which takes ten times as long as running them.
_LOCK = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true),
        to_jsonb(pg_advisory_xact_lock(%s)::text)
    UNION ALL
"""


class ConfigChangeQuerySet(models.QuerySet["ConfigChange"]):
    """Questions about stored overrides."""

    def overrides(self, lock: int | None = None) -> dict[str, Any]:
        """Values in force by name; a change to null has gone back to the default.

        With `lock` the query first waits for that advisory lock of the transaction: hand-outs and
        submits begin with both.
        """
        with connections[self.db].cursor() as cursor:
            if lock is None:
                cursor.execute(_OVERRIDES)
            else:
                cursor.execute(_LOCK + _OVERRIDES, [lock])
            rows = cursor.fetchall()
        return {name: parse(name, json.loads(value)) for name, value in rows if name in fields()}


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
    """Store an override (None: back to the default) and have every active tree follow it.

    Raises InvalidSetting.
    """
    if name not in fields():
        raise InvalidSetting(f"{name}: there is no such setting.")
    if not reason.strip():
        raise InvalidSetting(_("Please give a reason; it is kept with the change."))
    stored = ConfigChange.objects.create(
        name=name,
        value=None if value is None else _plain(parse(name, value)),
        old_value=_plain(getattr(TreeConfig.current(), name)),
        reason=reason,
        actor=actor,
        created_at=now,
    )
    per_request.forget(_KEY)
    queue.enqueue("tasks_app.jobs.advance_trees", key="advance-trees")
    return stored


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
