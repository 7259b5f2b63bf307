"""Our shorter template of a field with choices."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates, TemplatesSetting
from django.test.html import parse_html

GROUPED = [("", "—"), (1200, "<One> & only"), ("Others", [("a b", "A"), (None, "None")])]


@pytest.mark.parametrize("value", [None, "", 1200, "a b", "not there"])
@pytest.mark.parametrize("field", [forms.Select, forms.SelectMultiple])
def test_it_says_what_django_says(field: type[forms.Select], value: object) -> None:
    widget = field(choices=GROUPED, attrs={"required": True, "hidden": False, "data-x": '"<'})
    values = [value] if field is forms.SelectMultiple else value

    ours = widget.render("langs", values, {"id": "id_1"}, renderer=TemplatesSetting())
    theirs = widget.render("langs", values, {"id": "id_1"}, renderer=DjangoTemplates())

    assert parse_html(ours) == parse_html(theirs)
    assert ours.count("<option") == 4


def test_attributes_of_single_choices_are_kept() -> None:
    class Marked(forms.Select):
        def create_option(self, *args: object, **more: object) -> dict[str, object]:
            option: dict[str, object] = super().create_option(*args, **more)  # type: ignore[arg-type]
            option["attrs"] |= {"title": '"<', "disabled": option["value"] == 1}  # type: ignore[operator]
            return option

    widget = Marked(choices=[(1, "One"), (2, "Two")])

    ours = widget.render("n", 2, renderer=TemplatesSetting())

    assert parse_html(ours) == parse_html(widget.render("n", 2, renderer=DjangoTemplates()))
    assert "disabled" in ours
