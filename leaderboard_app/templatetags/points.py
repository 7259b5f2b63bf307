"""What a contribution brings, in the words of a page: `{% load points %}`."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from leaderboard_app import rules
from tasks_app.receipts import Receipt

register = template.Library()


@register.filter
def promise(receipt: Receipt | None) -> str:
    """“+2 points pending”, by the rules of the ledger; empty if nothing is to come."""
    if receipt is None:
        return ""
    reason = rules.reason_of(receipt.kind, receipt.role, receipt.form)
    if reason is None or rules.is_too_quick(reason, receipt.seconds):
        return ""
    amount = rules.POINTS[reason]
    points = ngettext("+%s point", "+%s points", 1 if amount == 1 else 2) % number_format(amount)
    return points if receipt.counts_at_once else gettext("%s pending") % points
