"""What somebody does on the site: signs in, looks around, takes a task and answers it.

Over HTTP alone, as a browser without scripts; whoever calls brings the browser.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.load.forms import Form, forms_of

FILLER = "Please tell me step by step how this is done, and what to look out for when doing it: "
WORDS = (
    "garden bread winter violin engine letter river museum budget puzzle camera island kitchen "
    "lesson market needle orchard pencil quarry rocket saddle teapot umbrella valley window yogurt "
    "anchor basket candle dragon elbow feather glacier hammer insect jacket kettle lantern"
).split()
_TASK = re.compile(r"/tasks/([0-9a-f-]{36})/$")
_HREF = re.compile(r'href="((?:/trees/|/messages/)[0-9a-f-]{36}/)')
SKIP_SHARE = 0.15
WORK_SHARE = 0.3


class Browser(Protocol):
    """Sends requests; `name` is what they are counted under."""

    def get(self, path: str, *, name: str) -> Any: ...

    def post(self, path: str, data: dict[str, str], *, name: str) -> Any: ...


@dataclass
class Answer:
    """An answer that the site said it took."""

    task: str
    text: str = ""  # of what was written


@dataclass
class Person:
    """One person with a browser of their own."""

    browser: Browser
    rng: random.Random
    answers: list[Answer] = field(default_factory=list)
    # Trees and messages that they saw links to.
    links: list[str] = field(default_factory=list)
    _open_task: tuple[str, Form] | None = None

    def sign_in(self, link: str) -> None:
        """Follow the link of a mail and press its button."""
        page = self.browser.get(link, name="sign in")
        sealed = [form for form in forms_of(page.text) if "csrfmiddlewaretoken" in form.fields]
        form = sealed[-1]
        done = self.browser.post(link, form.fields, name="sign in")
        assert done.status_code == 302, (link, done.status_code)

    def step(self) -> None:
        """Do the next thing: open a page, take a task, or answer the one that is open."""
        if self._open_task is not None:
            self._finish(*self._open_task)
        elif self.rng.random() < WORK_SHARE:
            self._take()
        else:
            self._look_around()

    def _look_around(self) -> None:
        weights = [weight for _act, weight in self._pages()]
        ((act, _weight),) = self.rng.choices(self._pages(), weights)
        act()

    def _pages(self) -> Sequence[tuple[Callable[[], None], int]]:
        return (
            (lambda: self._open("/dashboard/"), 3),
            (lambda: self._open("/messages/"), 3),
            (self._open_link, 4),
            (lambda: self._open("/leaderboard/"), 2),
            (lambda: self._open("/stats/"), 1),
            (lambda: self._open("/tasks/"), 2),
            (lambda: self._open("/contributions/"), 1),
        )

    def _open(self, path: str, name: str = "") -> None:
        page = self.browser.get(path, name=name or path)
        found = _HREF.findall(page.text)
        self.links = found[:50] or self.links

    def _open_link(self) -> None:
        path = self.rng.choice(self.links) if self.links else "/messages/"
        kind = path.split("/")[1]
        self._open(path, name=f"/{kind}/…/" if self.links else path)

    def _take(self) -> None:
        page = self.browser.get("/tasks/random/next/", name="/tasks/…/next/")
        task = _TASK.search(page.url)
        found = {form.id: form for form in forms_of(page.text)}
        if task is not None and "task-form" in found:
            self._open_task = task[1], found["task-form"]

    def _finish(self, task: str, form: Form) -> None:
        """Answer the task, or give it back."""
        self._open_task = None
        path = f"/tasks/{task}/"
        if self.rng.random() < SKIP_SHARE:
            token = form.fields["csrfmiddlewaretoken"]
            skipping = {"csrfmiddlewaretoken": token, "reason": "subject"}
            self.browser.post(f"{path}skip/", skipping, name="/tasks/…/skip/")
            return
        filled = self._fill_in(form)
        done = self.browser.post(path, filled, name="/tasks/…/")
        if done.status_code == 302:
            self.answers.append(Answer(task, filled.get("text", "")))

    def _fill_in(self, form: Form) -> dict[str, str]:
        filled = {name: value for name, value in form.fields.items() if name != "source"}
        if "text" in form.fields:
            said = " ".join(self.rng.sample(WORDS, 12))
            filled |= {"text": f"{FILLER}{said} {self.rng.getrandbits(48):x}"}
            filled |= {"similar_known": "on"}
        places = [name for name in {**form.fields, **form.choices} if name.startswith("place_")]
        self.rng.shuffle(places)
        filled |= {name: str(place) for place, name in enumerate(places, start=1)}
        for name, values in form.choices.items():
            if name not in places and name not in ("origin", "verdict"):
                filled[name] = self._choose([value for value in values if value])
        return filled

    def _choose(self, values: list[str]) -> str:
        """No to questions, anything on scales."""
        return "0" if len(values) <= 2 and "0" in values else self.rng.choice(values)
