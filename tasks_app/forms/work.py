"""The forms of task pages: write, review, rank, skip, and choosing the next task."""

import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from oasst.lib.fields import PlainText
from oasst.lib.languages import LANGUAGES
from tasks_app.assignment import same_texts
from tasks_app.enums import TaskType
from tasks_app.errors import InvalidRanking
from tasks_app.forms.fields import Count, Draftable, LabelFields
from tasks_app.forms.topics import TopicsForm
from tasks_app.labels import form_for, with_flags
from tasks_app.models import Message, Task
from tasks_app.writing import Counted

PLACE = "place_"


def joined_reason(code: str, words: str) -> str:
    """A reason as it is stored: the one chosen and what was said about it."""
    return ": ".join(filter(None, (code, words)))


class WritingForm(Draftable):
    """A new message, and where its words come from."""

    OWN, ADAPTED = "own", "adapted"
    ORIGINS = ((OWN, _("I wrote this myself")), (ADAPTED, _("I built on something else")))

    text = PlainText(
        label=_("Your message"), required=False, strip=False, widget=forms.Textarea({"rows": 10})
    )
    origin = forms.ChoiceField(
        label=_("Where the words come from"),
        required=False,
        choices=ORIGINS,
        widget=forms.RadioSelect,
    )
    source = PlainText(label=_("What did you build on?"), required=False, max_length=400)
    # See `tasks_app.writing`.
    pasted, seconds = Count(label=""), Count(label="")

    def clean(self) -> dict[str, Any]:
        """Whoever built on something says on what."""
        cleaned = super().clean() or {}
        is_adapted = cleaned.get("origin") == self.ADAPTED
        if is_adapted and "source" in cleaned and not cleaned["source"]:
            self.add_error("source", _("Please name what you built on, for example a web address."))
        return cleaned

    def provenance(self) -> str:
        """What is stored with the message."""
        if self.cleaned_data["origin"] == self.ADAPTED:
            return f"{self.ADAPTED}: {self.cleaned_data['source']}"
        return self.cleaned_data["origin"]

    def counted(self) -> Counted | None:
        """How the text was entered; None if no script counted."""
        pasted, seconds = self.cleaned_data["pasted"], self.cleaned_data["seconds"]
        return None if pasted is None or seconds is None else Counted(pasted, seconds)


class PromptForm(TopicsForm, WritingForm):
    """A new prompt, and what it is about."""


class KnownForm(forms.Form):
    """That an author was shown what is very similar, and sends all the same."""

    similar_known = forms.BooleanField(required=False)


class RewordForm(Draftable):
    """Another text for an own message, and the version that one began with."""

    text = PlainText(
        label=_("Your message"), required=False, strip=False, widget=forms.Textarea({"rows": 10})
    )
    base = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class LabelForm(LabelFields):
    """A review, as full or simple as the task says."""

    def __init__(self, *args: Any, task: Task, **options: Any) -> None:
        asked = form_for(task.kind, task.form_mode)
        super().__init__(*args, valid=asked.valid, mandatory=asked.mandatory, **options)

    def values(self) -> dict[str, float]:
        """The answers, flags left unset among them."""
        return with_flags(super().values(), list(self.fields))


class RankingForm(Draftable):
    """A place for every reply, equal places being ties, or why there is no order."""

    ALL_BAD, CANNOT_JUDGE = "all_bad", "cannot_judge"
    VERDICTS = (
        ("", _("I put them in order")),
        (ALL_BAD, _("All of them are bad")),
        (CANNOT_JUDGE, _("I cannot judge them")),
    )

    verdict = forms.ChoiceField(
        label=_("Can they be ranked?"), required=False, choices=VERDICTS, widget=forms.RadioSelect
    )
    reason = PlainText(label=_("Why?"), required=False, max_length=400)

    def __init__(self, *args: Any, replies: Sequence[Message], **options: Any) -> None:
        super().__init__(*args, **options)
        self.ids = [reply.pk for reply in replies]
        self.identical = same_texts(replies)
        for number, pk in enumerate(self.ids, start=1):
            self.fields[f"{PLACE}{pk}"] = forms.IntegerField(
                label=_("Place of reply %(number)d") % {"number": number},
                required=False,
                min_value=1,
                max_value=len(self.ids),
            )

    def place(self, pk: uuid.UUID) -> forms.BoundField:
        """The field with the place of a reply."""
        return self[f"{PLACE}{pk}"]

    def clean(self) -> dict[str, Any]:
        """Every reply has a place, unless none can have one; nothing else has."""
        cleaned = super().clean() or {}
        if any(name.startswith(PLACE) and name not in self.fields for name in self.data):
            raise forms.ValidationError(InvalidRanking.default_message)
        self._place_identical(cleaned)
        is_complete = all(cleaned.get(f"{PLACE}{pk}") for pk in self.ids)
        if not is_complete and not cleaned.get("verdict") and not self.errors:
            raise forms.ValidationError(InvalidRanking.default_message)
        return cleaned

    def _place_identical(self, cleaned: dict[str, Any]) -> None:
        """A reply without a place is on that of one with the same text."""
        for group in self.identical:
            places = [cleaned.get(f"{PLACE}{reply.pk}") for reply in group]
            for reply in group:
                name = f"{PLACE}{reply.pk}"
                if name not in self.errors and not cleaned.get(name):
                    cleaned[name] = next(filter(None, places), None)

    def groups(self) -> list[list[uuid.UUID]]:
        """Replies by place, best first; empty if not all have one."""
        places = {pk: self.cleaned_data.get(f"{PLACE}{pk}") for pk in self.ids}
        if not all(places.values()):
            return []
        ordered = sorted(self.ids, key=lambda pk: places[pk])
        return [list(group) for _place, group in groupby(ordered, key=lambda pk: places[pk])]

    def not_rankable(self) -> bool:
        """True if the person found no order."""
        return bool(self.cleaned_data["verdict"])

    def full_reason(self) -> str:
        """The verdict and what was said about it."""
        return joined_reason(self.cleaned_data["verdict"], self.cleaned_data["reason"])


class PairForm(forms.Form):
    """Two of the replies to be ranked; the first two where the query does not say."""

    a = forms.ChoiceField(label=_("The first"))
    b = forms.ChoiceField(label=_("The second"))

    def __init__(self, query: Mapping[str, str], *, names: dict[str, str]) -> None:
        super().__init__(dict(zip("ab", names, strict=False)) | dict(query.items()))
        for field in self.fields.values():
            field.choices = names.items()


def for_task(
    task: Task,
    replies: Sequence[Message] = (),
    *,
    data: Any = None,
    initial: dict[str, str] | None = None,
) -> WritingForm | LabelForm | RankingForm:
    """The form that answers `task`. A ranking needs the `replies` shown."""
    if task.kind == TaskType.INITIAL_PROMPT:
        return PromptForm(data, initial=initial)
    if task.type.is_writing:
        return WritingForm(data, initial=initial)
    if task.type.is_labeling:
        return LabelForm(data, initial=initial, task=task)
    return RankingForm(data, initial=initial, replies=replies)


class SkipForm(forms.Form):
    """Why somebody gives a task back. Saying so is optional."""

    REASONS = (
        ("subject", _("I do not know the subject")),
        ("language", _("I do not know the language well enough")),
        ("unpleasant", _("It is unpleasant")),
        ("broken", _("Something is wrong with it")),
        ("time", _("It would take too long")),
    )

    reason = forms.ChoiceField(
        label=_("Reason"), required=False, choices=REASONS, widget=forms.RadioSelect
    )
    note = PlainText(label=_("Anything to add?"), required=False, max_length=400)

    def text(self) -> str:
        """What is stored with the task."""
        return joined_reason(self.cleaned_data["reason"], self.cleaned_data["note"])


class LanguageForm(forms.Form):
    """One of a person's languages, or all of them."""

    lang = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, langs: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.langs = list(langs)
        self.fields["lang"].choices = [(code, LANGUAGES.get(code, code)) for code in langs]

    def chosen(self) -> list[str]:
        """The language asked for, else all."""
        lang = self.cleaned_data.get("lang") if self.is_valid() else ""
        return [lang] if lang else self.langs
