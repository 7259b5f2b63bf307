"""A question of the moderators, as the person reads and answers it."""

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tasks_app import pacing, questions, reading
from tasks_app.forms.questions import AnswerForm
from tasks_app.models import Question
from tasks_app.questions import AlreadyAnswered, QuestionWithdrawn
from tasks_app.views.edges import FORM_INVALID, contributor

TOO_MANY = 429


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@contributor
def question(request: HttpRequest, question_id: int) -> HttpResponse:
    """Read a question with the message that it is about, and answer it once."""
    found = questions.find(question_id, request.user)
    form = AnswerForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _page(request, found, form)
    if not form.is_valid():
        return _page(request, found, form, status=FORM_INVALID)
    allowance = pacing.count_answer(request.user)
    if not allowance.allowed:
        form.add_error(None, _wait(allowance.retry_after_s))
        response = _page(request, found, form, status=TOO_MANY)
        response["Retry-After"] = str(allowance.retry_after_s)
        return response
    text = form.cleaned_data["text"]
    try:
        questions.answer(found.pk, request.user, text, now=timezone.now())
    except (AlreadyAnswered, QuestionWithdrawn) as error:
        found = questions.find(found.pk, request.user)
        return _page(request, found, form, status=error.status, problem=error.message, unsent=text)
    toasts.success(request, _("Thank you. The moderators read your answer."))
    return redirect("tasks:question", found.pk)


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "That was a lot at once. What you wrote is still here: send it again in %d minute.",
        "That was a lot at once. What you wrote is still here: send it again in %d minutes.",
        minutes,
    ) % minutes  # fmt: skip


def _page(
    request: HttpRequest,
    found: Question,
    form: AnswerForm,
    *,
    status: int = 200,
    problem: str = "",
    unsent: str = "",
) -> HttpResponse:
    about = found.message
    context = {
        "question": found,
        "message": about,
        "is_readable": about is not None and reading.may_read(about, request.user, veiled=False),
        "form": form,
        "problem": problem,
        "unsent": unsent,
    }
    return render(request, "tasks/question.html", context, status=status)
