"""The label catalogue: which labels there are, how a form asks for them, and which are mandatory.

Values are numbers from 0 to 1. A label that was not answered is absent, never 0.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext_lazy

from oasst.lib.errors import DomainError
from tasks_app.enums import FormMode, SkillGroup, TaskType

Text = str | Promise


class InvalidLabels(DomainError):
    """Label values that do not fit the form."""

    code = "invalid_labels"


class Widget(StrEnum):
    """How a form asks for a label."""

    YES_NO = "yes_no"  # a question that must be answered with yes (1) or no (0)
    FLAG = "flag"  # a mark: set (1) or not set
    LIKERT = "likert"  # five steps from 0 to 1


BINARY = (0.0, 1.0)
FIVE_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Label:
    """One label. `scale` names the likert steps from 0 to 1 in words.

    `inverted` likert labels measure something bad; forms show their steps from 1 to 0, so that
    on every scale of a form the better end is on the same side.
    """

    name: str
    widget: Widget
    title: Text
    text: Text
    scale: tuple[Text, ...] = ()
    inverted: bool = False

    @property
    def steps(self) -> tuple[float, ...]:
        """The values it may have, ascending."""
        return FIVE_STEPS if self.widget == Widget.LIKERT else BINARY

    @property
    def low(self) -> Text:
        """What 0 means."""
        return self.choices_ascending[0][1]

    @property
    def high(self) -> Text:
        """What 1 means."""
        return self.choices_ascending[-1][1]

    @property
    def choices(self) -> list[tuple[float, Text]]:
        """Values and their words in the order in which a form shows them."""
        ascending = self.choices_ascending
        return ascending[::-1] if self.inverted else ascending

    @property
    def choices_ascending(self) -> list[tuple[float, Text]]:
        """Values and their words from 0 to 1."""
        return list(zip(self.steps, self.scale or (_l("No"), _l("Yes")), strict=True))


@dataclass(frozen=True)
class LabelForm:
    """The labels that a form asks for, in its order, and those that it insists on."""

    valid: tuple[str, ...]
    mandatory: tuple[str, ...]


_ALL = (
    Label(
        "spam",
        Widget.YES_NO,
        _l("Spam"),
        _l("Is it spam: careless on purpose, off topic or without any use?"),
    ),
    Label(
        "fails_task",
        Widget.YES_NO,
        _l("Misses the task"),
        _l("Does the reply fail to do what was asked?"),
    ),
    Label(
        "lang_mismatch",
        Widget.FLAG,
        _l("Wrong language"),
        _l("It is not written in the language shown."),
    ),
    Label(
        "pii",
        Widget.FLAG,
        _l("Personal data"),
        _l("It contains data that identify a real, private person."),
    ),
    Label(
        "not_appropriate",
        Widget.FLAG,
        _l("Inappropriate"),
        _l("It would be out of place for a friendly assistant."),
    ),
    Label(
        "hate_speech",
        Widget.FLAG,
        _l("Hate speech"),
        _l("It insults or threatens people for what they are: origin, faith, gender and the like."),
    ),
    Label(
        "sexual_content",
        Widget.FLAG,
        _l("Sexual content"),
        _l("It contains sexual content."),
    ),
    Label(
        "moral_judgement",
        Widget.FLAG,
        _l("Moral judgement"),
        _l("It judges what is morally right or wrong."),
    ),
    Label(
        "political_content",
        Widget.FLAG,
        _l("Political view"),
        _l("It takes a political side."),
    ),
    Label(
        "quality",
        Widget.LIKERT,
        _l("Quality"),
        _l("How good is it, all in all?"),
        (_l("Very low"), _l("Low"), _l("Medium"), _l("High"), _l("Very high")),
    ),
    Label(
        "helpfulness",
        Widget.LIKERT,
        _l("Helpfulness"),
        _l("How much does the reply help the person who asked?"),
        (_l("Useless"), _l("Little help"), _l("Some help"), _l("Helpful"), _l("Very helpful")),
    ),
    Label(
        "creativity",
        Widget.LIKERT,
        _l("Creativity"),
        _l("How original is it?"),
        (_l("Ordinary"), _l("Rather ordinary"), _l("Mixed"), _l("Original"), _l("Very creative")),
    ),
    Label(
        "humor",
        Widget.LIKERT,
        _l("Humour"),
        _l("How funny or ironic is it?"),
        (
            _l("Serious"),
            _l("Rather serious"),
            pgettext_lazy("humour", "Light"),
            _l("Amusing"),
            _l("Very funny"),
        ),
    ),
    Label(
        "toxicity",
        Widget.LIKERT,
        _l("Politeness"),
        _l("How polite or rude is it?"),
        (_l("Polite"), _l("Rather polite"), _l("Blunt"), _l("Rude"), _l("Very rude")),
        inverted=True,
    ),
    Label(
        "violence",
        Widget.LIKERT,
        _l("Harmlessness"),
        _l("How harmless is it, or does it speak for violence, self-harm or terror?"),
        (_l("Harmless"), _l("Mild"), _l("Worrying"), _l("Violent"), _l("Very violent")),
        inverted=True,
    ),
)

LABELS = {label.name: label for label in _ALL}

MANDATORY = ("spam",)

# Which labels show the same skill, each in one group.
SKILLS = {
    SkillGroup.ACCEPTANCE: ("spam", "lang_mismatch"),
    SkillGroup.FLAGS: (
        *("fails_task", "pii", "not_appropriate", "hate_speech", "sexual_content"),
        *("moral_judgement", "political_content"),
    ),
    SkillGroup.QUALITY: ("quality", "helpfulness", "creativity"),
    SkillGroup.TONE: ("humor", "toxicity", "violence"),
}

_FULL_COMMON = (
    "quality",
    "creativity",
    "humor",
    "toxicity",
    "violence",
    "not_appropriate",
    "pii",
    "hate_speech",
    "sexual_content",
)
_FULL_MESSAGE = ("spam", "lang_mismatch", *_FULL_COMMON)
_FULL_ASSISTANT = (
    "spam",
    "lang_mismatch",
    "fails_task",
    "quality",
    "helpfulness",
    *_FULL_COMMON[1:],
)

FORMS = {
    (TaskType.LABEL_INITIAL_PROMPT, FormMode.FULL): LabelForm(_FULL_MESSAGE, MANDATORY),
    (TaskType.LABEL_PROMPTER_REPLY, FormMode.FULL): LabelForm(_FULL_MESSAGE, MANDATORY),
    (TaskType.LABEL_ASSISTANT_REPLY, FormMode.FULL): LabelForm(_FULL_ASSISTANT, MANDATORY),
    (TaskType.LABEL_INITIAL_PROMPT, FormMode.SIMPLE): LabelForm(
        (*MANDATORY, "lang_mismatch"), MANDATORY
    ),
    (TaskType.LABEL_PROMPTER_REPLY, FormMode.SIMPLE): LabelForm(
        (*MANDATORY, "lang_mismatch", "quality"), MANDATORY
    ),
    (TaskType.LABEL_ASSISTANT_REPLY, FormMode.SIMPLE): LabelForm(
        (*MANDATORY, "lang_mismatch", "quality"), MANDATORY
    ),
}

# What a report may name as its reason, with how urgent that is: 5 may harm somebody right now.
REPORT_SEVERITY = {
    "spam": 2,
    "not_appropriate": 3,
    "pii": 5,
    "hate_speech": 5,
    "sexual_content": 4,
    "moral_judgement": 1,
    "political_content": 1,
    "toxicity": 3,
    "violence": 5,
    "quality": 1,
}
REPORT_LABELS = tuple(REPORT_SEVERITY)


def reported_value(name: str) -> float:
    """What somebody who reports a message for this label says of it: the bad end of its scale."""
    label = LABELS[name]
    return 0.0 if label.widget == Widget.LIKERT and not label.inverted else 1.0


def form_for(kind: str, mode: str) -> LabelForm:
    """The labels of a review task of `kind` in `mode`, "full" or "simple".

    Raises KeyError if `kind` is no review task.
    """
    return FORMS[TaskType(kind), FormMode(mode)]


def review_kind(role: str, *, is_root: bool) -> TaskType:
    """The kind of task that reviews a message of `role`."""
    return TaskType.LABEL_INITIAL_PROMPT if is_root else TaskType(f"label_{role}_reply")


def free_form(role: str, *, is_root: bool) -> LabelForm:
    """The labels anybody may give a message outside a task; none is mandatory."""
    return LabelForm(form_for(review_kind(role, is_root=is_root), FormMode.FULL).valid, ())


def with_flags(values: Mapping[str, float], valid: Collection[str]) -> dict[str, float]:
    """The answers to a review form; a flag that was not set says no, for the form asks what is
    wrong: docs/decisions/0006."""
    flags = [name for name in valid if LABELS[name].widget == Widget.FLAG]
    return dict.fromkeys(flags, 0.0) | dict(values)


def validate(
    values: Mapping[str, float], *, valid: Collection[str], mandatory: Collection[str] = ()
) -> dict[str, float]:
    """The values as numbers, in the order of the catalogue.

    Raises InvalidLabels, which names the label and what was expected, if one is not among
    `valid`, has a value that its scale does not have, or is `mandatory` and absent.
    """
    for name, value in values.items():
        if name not in valid or name not in LABELS:
            raise InvalidLabels(_('The label "%s" is not asked for here.') % name)
        _check_value(LABELS[name], value)
    missing = [str(LABELS[name].title) for name in mandatory if name not in values]
    if missing:
        raise InvalidLabels(_("Please answer first: %s.") % ", ".join(missing))
    return {name: float(values[name]) for name in LABELS if name in values}


def as_entered(values: Mapping[str, float]) -> dict[str, str]:
    """What somebody has put into the form to give these values; a flag that is not set is empty."""
    entered = {}
    for name, value in values.items():
        if LABELS[name].widget != Widget.FLAG:
            entered[name] = f"{value:g}"
        elif value:
            entered[name] = "on"
    return entered


def _check_value(label: Label, value: object) -> None:
    if isinstance(value, int | float) and value in label.steps:
        return
    raise InvalidLabels(
        _("%(label)s: %(value)s is not possible, choose one of %(steps)s.")
        % {
            "label": label.title,
            "value": repr(value)[:40],
            "steps": ", ".join(f"{step:g}" for step in label.steps),
        }
    )
