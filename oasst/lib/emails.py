"""Mails: three templates a mail (`emails/<name>.{subject,txt,html}`), sent by the job queue."""

import logging
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from oasst.lib import page_language
from oasst.lib.queue import enqueue

logger = logging.getLogger(__name__)


def send(name: str, to: str, context: dict[str, Any], *, language: str) -> None:
    """Queue a mail, once the transaction commits. A failing mail server is tried again.

    `context` is plain values and holds no secret: it waits in Redis. Mails that must not be lost
    or carry secrets have a row and a job of their own, which calls `deliver`.
    """
    enqueue("oasst.lib.emails.deliver", name, to, context, language)


def deliver(name: str, to: str, context: dict[str, Any], language: str) -> None:
    """Render and hand over to the mail server now. Raises OSError (smtplib's errors are such)."""
    message = render(name, to, context, language=language)
    message.send()
    logger.info("mail %s was sent", name)


def render(name: str, to: str, context: dict[str, Any], *, language: str) -> EmailMultiAlternatives:
    """Put a mail together in the reader's language."""
    site = {"site_name": settings.SITE_NAME, "site_url": settings.SITE_URL}
    language = page_language.offered(language)
    with translation.override(language):
        subject, text, html = (
            render_to_string(f"emails/{name}.{kind}", {**site, **context})
            for kind in ("subject", "txt", "html")
        )
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()), body=text.strip() + "\n", to=[to]
    )
    message.attach_alternative(html, "text/html")
    message.extra_headers["Content-Language"] = language
    # Asks auto-responders to stay quiet (RFC 3834).
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    return message
