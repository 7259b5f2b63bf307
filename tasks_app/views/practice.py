"""Practice for visitors: a message to judge, what is known about it, and the way to real work.

Nothing is stored: an answer stands in the address of the page that responds to it.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from oasst.accounts.forms import SignInForm
from oasst.lib.languages import guess
from tasks_app import first_steps, kinds, practice, selection
from tasks_app.forms.practice import PracticeForm
from tasks_app.labels import LABELS
from tasks_app.views.edges import contributor


@require_safe
def show_next(request: HttpRequest) -> HttpResponse:
    """The next item to judge, or that there is no more in this language."""
    form = PracticeForm(request.GET)
    lang, done = form.chosen_lang() or lang_of(request), form.marks()
    item = practice.next_item(lang, done)
    return render(request, "pages/practice.html", {**shown(item, lang), **_ways_on(done)})


# So long a browser may keep an answer that `practice.js` asked for ahead of the form.
ANSWER_KEPT_S = 10


@cache_control(private=True, max_age=ANSWER_KEPT_S)
@require_safe
def show(request: HttpRequest, item_id: str) -> HttpResponse:
    """One item; with an answer in the address also what is known about it, and why."""
    item = practice.find(item_id)
    if item is None:
        raise Http404
    form = PracticeForm(request.GET)
    done, answer = form.marks(), form.says_spam()
    if answer is None:
        return render(request, "pages/practice.html", {**shown(item, item.lang), **_ways_on(done)})
    done.append(item.mark)
    context = {
        "is_right": answer == item.is_spam,
        "said": _word(answer),
        "known": _word(item.is_spam),
        "has_more": practice.next_item(item.lang, done) is not None,
        "sign_in_form": SignInForm(),
    }
    context |= shown(item, item.lang) | _ways_on(done)
    return render(request, "pages/practice_answer.html", context)


@require_safe
@contributor
def keep(request: HttpRequest) -> HttpResponse:
    """Where the sign-in after practice leads: the practice is credited and a first task handed out.

    A GET, as every page that a sign-in leads to; coming twice changes nothing more.
    """
    now = timezone.now()
    if PracticeForm(request.GET).marks() and first_steps.credit_practice(request.user, now=now):
        toasts.success(request, _("Your practice counts as your first step. Now one that is real."))
    langs = request.user.contribution_languages
    available = selection.available_tasks(request.user, langs, now=now)
    best = kinds.best_next(available, is_new=True) or kinds.ANY
    return redirect("tasks:next", best.code)


def shown(item: practice.Item | None, lang: str) -> dict[str, Any]:
    """What the fragment of an item needs."""
    return {
        "item": item,
        "question": LABELS["spam"].text,
        "lang": lang,
        "other_langs": [code for code in practice.langs() if code != lang],
    }


def lang_of(request: HttpRequest) -> str:
    """The language to practise in, by what the browser asks for."""
    return practice.first_known(guess(request.headers.get("Accept-Language", "")))


def _ways_on(done: list[str]) -> dict[str, str]:
    """Addresses and words that carry what was practised."""
    if not done:
        return {}
    signed = practice.sign(done)
    keep_url = f"{reverse('tasks:practice_keep')}?{urlencode({'done': signed})}"
    return {"done": signed, "keep_url": keep_url}


def _word(is_spam: bool) -> str:
    return _("Spam") if is_spam else _("No spam")
