"""What visitors send by the addresses of practice pages. Nobody typed it: what does not fit is as
good as absent."""

from typing import Any

from django import forms

from tasks_app import practice

MOST_SIGNED = 400  # characters


class PracticeForm(forms.Form):
    """An answer, the language to practise in, and which items are done."""

    answer = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])
    lang = forms.ChoiceField(required=False)
    done = forms.CharField(required=False, max_length=MOST_SIGNED)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["lang"].choices = [(lang, lang) for lang in practice.langs()]

    def says_spam(self) -> bool | None:
        """The answer, if there is one."""
        return {"yes": True, "no": False}.get(self._sent("answer"))

    def chosen_lang(self) -> str:
        """The language asked for; empty if none was."""
        return self._sent("lang")

    def marks(self) -> list[str]:
        """The marks of the items that were done before."""
        return practice.read(self._sent("done"))

    def _sent(self, name: str) -> str:
        self.is_valid()
        value: str = self.cleaned_data.get(name, "")
        return value
