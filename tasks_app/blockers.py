"""Why there is no task, and what would help: what an empty task page says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oasst.lib.languages import LANGUAGES
from tasks_app import lottery, selection
from tasks_app.config import TreeConfig
from tasks_app.enums import RANDOM, RANK_TASKS, TaskType
from tasks_app.models import Message, Offer

if TYPE_CHECKING:
    from oasst.accounts.models import User


@dataclass(frozen=True)
class Blocker:
    """One reason in words; `kind` and `lang` name work that would help, if there is some."""

    text: str
    kind: TaskType | None = None
    lang: str | None = None
    count: int = 0


def explain(user: "User", kind: str, langs: Sequence[str], *, now: datetime) -> list[Blocker]:
    """Why `user` gets no task of `kind` in `langs`, most helpful first. Never empty."""
    others = selection.available_tasks(user, langs, now=now)
    found = [_own_share(user, kind, langs), _waiting_on(kind, langs), _split(langs)]
    found += [
        Blocker(str(other.label), kind=other, count=count)
        for other, count in sorted(others.items(), key=lambda item: -item[1])
        if other != kind
    ]
    found.append(_other_languages(user, kind, langs, now))
    blockers = [blocker for blocker in found if blocker]
    return blockers or [Blocker(_("Everything is done for now. New work appears as others reply."))]


def _own_share(user: "User", kind: str, langs: Sequence[str]) -> Blocker | None:
    """Work that exists, but not for this person."""
    offers = Offer.objects.free(langs)
    count = (offers if kind == RANDOM else offers.filter(kind=kind)).count()
    if not count:
        return None
    return Blocker(
        ngettext(
            "%(count)d open task of this kind is about your own message, or you have done or "
            "skipped it. It waits for somebody else.",
            "%(count)d open tasks of this kind are about your own messages, or you have done or "
            "skipped them. They wait for somebody else.",
            count,
        )
        % {"count": count},
        count=count,
    )


def _waiting_on(kind: str, langs: Sequence[str]) -> Blocker | None:
    """The step before: what must happen so that such a task comes up."""
    if kind != RANDOM and TreeConfig.current().is_switched_off(TaskType(kind)):
        return Blocker(_("Tasks of this kind are switched off on this site."))
    if kind == TaskType.INITIAL_PROMPT:
        return _prompts_full(langs)
    if kind == TaskType.RANK_INITIAL_PROMPTS:
        return _few_prompts_wait()
    before = {
        TaskType.LABEL_ASSISTANT_REPLY: TaskType.ASSISTANT_REPLY,
        TaskType.LABEL_PROMPTER_REPLY: TaskType.PROMPTER_REPLY,
        TaskType.ASSISTANT_REPLY: TaskType.LABEL_INITIAL_PROMPT,
        TaskType.PROMPTER_REPLY: TaskType.LABEL_ASSISTANT_REPLY,
        TaskType.LABEL_INITIAL_PROMPT: TaskType.INITIAL_PROMPT,
    }
    if kind in RANK_TASKS:
        return _reviews_before_ranking(langs)
    step = None if kind == RANDOM else before.get(TaskType(kind))
    if step is None:
        return None
    count = Offer.objects.filter(kind=step, lang__in=langs).aggregate(n=Sum("slots"))["n"] or 0
    if not count:
        return None
    text = ngettext(
        "%(count)d task must be done first: %(step)s.",
        "%(count)d tasks must be done first: %(step)s.",
        count,
    )
    return Blocker(text % {"count": count, "step": step.label}, kind=step, count=count)


def _prompts_full(langs: Sequence[str]) -> Blocker | None:
    config = TreeConfig.current()
    wanted = lottery.prompts_wanted(langs, config)
    full = [lang for lang in langs if wanted[lang] == 0]
    if not full:
        return None
    if set(full) <= set(config.init_prompt_disabled_langs):
        names = ", ".join(_name(lang) for lang in full)
        return Blocker(_("This site collects no new prompts in %(langs)s.") % {"langs": names})
    return Blocker(
        _(
            "There are enough prompts in %(langs)s for now. When prompts are reviewed and "
            "conversations grow, new ones are wanted again."
        )
        % {"langs": ", ".join(_name(lang) for lang in full)},
        kind=TaskType.LABEL_INITIAL_PROMPT,
    )


def _few_prompts_wait() -> Blocker:
    text = _("Fewer than two prompts by others wait that you have not seen. Accepted prompts do.")
    return Blocker(text, kind=TaskType.LABEL_INITIAL_PROMPT)


def _reviews_before_ranking(langs: Sequence[str]) -> Blocker | None:
    waiting = Message.objects.filter(
        offer__kind__in=[TaskType.LABEL_ASSISTANT_REPLY, TaskType.LABEL_PROMPTER_REPLY],
        offer__lang__in=langs,
    )
    count = waiting.count()
    if not count:
        return None
    text = ngettext(
        "%(count)d reply must be reviewed before its conversation is ranked.",
        "%(count)d replies must be reviewed before their conversations are ranked.",
        count,
    )
    return Blocker(text % {"count": count}, kind=TaskType.LABEL_ASSISTANT_REPLY, count=count)


def _split(langs: Sequence[str]) -> Blocker | None:
    """Messages that hold up their conversations until a moderator has decided."""
    if not TreeConfig.current().adaptive_overlap:
        return None
    count = Message.objects.split().filter(lang__in=langs).count()
    if not count:
        return None
    text = ngettext(
        "Reviewers differ about %(count)d message; a moderator decides about it.",
        "Reviewers differ about %(count)d messages; a moderator decides about them.",
        count,
    )
    return Blocker(text % {"count": count}, count=count)


def _other_languages(
    user: "User", kind: str, langs: Sequence[str], now: datetime
) -> Blocker | None:
    others = [lang for lang in user.contribution_languages if lang not in langs]
    if not _is_there(kind, user, others, now):
        return None
    for lang in others:
        if _is_there(kind, user, [lang], now):
            text = _("There is work of this kind in another of your languages: %(lang)s.")
            wanted = None if kind == RANDOM else TaskType(kind)
            return Blocker(text % {"lang": _name(lang)}, kind=wanted, lang=lang)
    return None


def _is_there(kind: str, user: "User", langs: Sequence[str], now: datetime) -> bool:
    counts = selection.available_tasks(user, langs, now=now)
    return bool(counts) if kind == RANDOM else kind in counts


def _name(lang: str) -> str:
    return str(LANGUAGES.get(lang, lang))
