"""The catalogue and the validation of label values."""

from typing import Any

import pytest

from tasks_app.enums import FormMode, TaskType
from tasks_app.labels import (
    FORMS,
    LABELS,
    REPORT_LABELS,
    InvalidLabels,
    LabelForm,
    Widget,
    form_for,
    free_form,
    reported_value,
    review_kind,
    validate,
)

PROMPT = form_for(TaskType.LABEL_INITIAL_PROMPT, FormMode.FULL)
ASSISTANT = form_for(TaskType.LABEL_ASSISTANT_REPLY, "full")


def check(values: dict[str, Any], form: LabelForm = ASSISTANT) -> dict[str, float]:
    return validate(values, valid=form.valid, mandatory=form.mandatory)


def test_full_forms_ask_what_the_original_asked() -> None:
    everywhere = {"spam", "lang_mismatch", "quality", "creativity", "humor", "toxicity"}
    everywhere |= {"violence", "not_appropriate", "pii", "hate_speech", "sexual_content"}

    assert set(PROMPT.valid) == everywhere
    assert set(form_for("label_prompter_reply", "full").valid) == everywhere
    assert set(ASSISTANT.valid) == everywhere | {"fails_task", "helpfulness"}


def test_simple_forms_ask_for_spam_language_and_quality_of_replies() -> None:
    assert form_for("label_initial_prompt", "simple").valid == ("spam", "lang_mismatch")
    for kind in ("label_prompter_reply", "label_assistant_reply"):
        assert form_for(kind, "simple").valid == ("spam", "lang_mismatch", "quality")


def test_every_form_names_known_labels_once_and_insists_on_spam() -> None:
    for form in FORMS.values():
        assert set(form.valid) <= set(LABELS)
        assert len(set(form.valid)) == len(form.valid)
        assert form.mandatory == ("spam",)
    assert set(REPORT_LABELS) <= set(LABELS)


def test_form_for_a_task_that_is_no_review_is_refused() -> None:
    with pytest.raises(KeyError):
        form_for(TaskType.INITIAL_PROMPT, FormMode.FULL)


@pytest.mark.parametrize(
    ("role", "is_root", "kind"),
    [
        ("prompter", True, TaskType.LABEL_INITIAL_PROMPT),
        ("prompter", False, TaskType.LABEL_PROMPTER_REPLY),
        ("assistant", False, TaskType.LABEL_ASSISTANT_REPLY),
    ],
)
def test_review_kind_of_a_message(role: str, is_root: bool, kind: TaskType) -> None:
    assert review_kind(role, is_root=is_root) == kind


def test_free_form_asks_the_same_and_insists_on_nothing() -> None:
    form = free_form("assistant", is_root=False)

    assert form.valid == ASSISTANT.valid
    assert form.mandatory == ()


def test_likert_labels_have_five_words_and_others_yes_and_no() -> None:
    for label in LABELS.values():
        words = [str(word) for _, word in label.choices_ascending]
        if label.widget == Widget.LIKERT:
            assert len(words) == len(set(words)) == 5
        else:
            assert words == ["No", "Yes"]
        assert (label.low, label.high) == (words[0], words[-1])


def test_inverted_labels_show_their_good_end_last() -> None:
    assert [value for value, _ in LABELS["toxicity"].choices] == [1, 0.75, 0.5, 0.25, 0]
    assert LABELS["toxicity"].choices[-1][1] == LABELS["toxicity"].low == "Polite"
    assert [value for value, _ in LABELS["quality"].choices] == [0, 0.25, 0.5, 0.75, 1]


def test_validate_keeps_what_was_answered_and_adds_nothing() -> None:
    assert check({"quality": 0.75, "spam": 0}) == {"spam": 0.0, "quality": 0.75}


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({}, "Spam"),
        ({"quality": 1}, "Spam"),
        ({"spam": 0.5}, "Spam"),
        ({"spam": float("nan")}, "Spam"),
        ({"spam": -1}, "Spam"),
        ({"spam": 10**400}, "Spam"),
        ({"spam": "1"}, "Spam"),
        ({"spam": None}, "Spam"),
        ({"spam": 0, "quality": 0.3}, "0, 0.25, 0.5, 0.75, 1"),
        ({"spam": 0, "quality": 1.01}, "Quality"),
        ({"spam": 0, "quality": float("inf")}, "Quality"),
        ({"spam": 0, "political_content": 1}, "political_content"),
        ({"spam": 0, "nonsense": 1}, "nonsense"),
    ],
)
def test_validate_refuses_and_names_what_is_wrong(values: dict[str, Any], hint: str) -> None:
    with pytest.raises(InvalidLabels) as caught:
        check(values)

    assert hint in caught.value.message


def test_validate_refuses_a_label_of_another_form() -> None:
    with pytest.raises(InvalidLabels):
        check({"spam": 0, "helpfulness": 1}, PROMPT)


def test_report_says_the_bad_end_of_each_scale() -> None:
    values = {name: reported_value(name) for name in REPORT_LABELS}

    assert [name for name, value in values.items() if value != 1] == ["quality"]
    assert values["quality"] == 0
