"""Addresses of the desk's pages, and what a page says."""

from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.urls import reverse

WHY = {"reason": "because of the rules"}


def list_of(model: Any) -> str:
    """A model's list."""
    return reverse(f"admin:{_name(model)}_changelist")


def page_of(row: Any) -> str:
    """A row's page."""
    return reverse(f"admin:{_name(row)}_change", args=[row.pk])


def act_on(row: Any, action: str) -> str:
    """Where an action on a row is asked about and done."""
    return reverse(f"admin:{_name(row)}_act", args=[row.pk, action])


def bulk(action: str, rows: Any, **fields: str) -> dict[str, Any]:
    """What the browser posts for an action on chosen rows; `confirmed` comes second."""
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **fields}


def found(response: HttpResponse) -> list[Any]:
    """The rows that a list shows."""
    return list(response.context["cl"].result_list)


def told(response: HttpResponse) -> list[str]:
    """What the site tells the person after an action."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def _name(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
