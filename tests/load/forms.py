"""The forms of a page as a browser has them: where they go, and what is filled in."""

from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """One form; `choices` has the values of its radio buttons by name."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def forms_of(page: str) -> list[Form]:
    """All forms of a page that are sent by POST."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = None
            if given.get("method", "").lower() == "post":
                self._form = Form(given.get("id", ""), given.get("action", ""))
                self.forms.append(self._form)
        elif self._form is not None and given.get("name") and "disabled" not in given:
            self._add(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _add(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, kind = given["name"], given.get("type", "text")
        if tag == "input" and kind == "radio":
            form.choices[name].append(given.get("value", "on"))
        if (tag == "input" and kind not in ("radio", "checkbox", "submit")) or "checked" in given:
            form.fields[name] = given.get("value", "on")
        elif tag == "textarea":
            form.fields[name] = ""
