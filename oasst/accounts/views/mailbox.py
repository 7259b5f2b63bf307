"""`/dev/mailbox/`: the mails a development site has sent. Does not exist with DEBUG=false."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from oasst.accounts import mailbox


@never_cache
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    _only_in_development()
    return render(request, "accounts/mailbox.html", {"mails": mailbox.newest()})


@never_cache
@require_safe
def mail(request: HttpRequest, mail_id: str) -> HttpResponse:
    _only_in_development()
    found = mailbox.find(mail_id)
    if found is None:
        raise Http404
    return render(request, "accounts/mailbox_mail.html", {"mail": found})


def _only_in_development() -> None:
    if not settings.DEBUG:
        raise Http404
