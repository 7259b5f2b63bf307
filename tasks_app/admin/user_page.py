"""Everything the desk shows about one person; a fixed number of queries."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from oasst.accounts.admin import role, status
from oasst.accounts.models import User
from oasst.lib.desk.display import NONE, Fact, list_url, when
from oasst.lib.languages import name as language_name
from tasks_app import reading
from tasks_app.admin import crowd, log, message_page, question_item
from tasks_app.admin.report_item import items
from tasks_app.enums import ContributionKind, ReportState
from tasks_app.models import Contribution, Message, Question, Reliability, Report

MOST_ROWS = 15
MOST_MESSAGES = 6
ACTIVITY_DAYS = 30


def context(user: User, reader: User, *, with_address: bool) -> dict[str, Any]:
    """What the page of a person shows to `reader`."""
    now, numbers = timezone.now(), counts(user)
    mine = reading.told_to(reader, Contribution.objects.filter(user=user), "message__tree")
    messages = Message.objects.written_by(user).newest_first().select_related("tree", "user")
    told = reading.told_to(reader, messages.defer("search_vector", "detoxify"), "tree")
    veil = reading.Veil(reader)  # lies over none of these
    reports = Report.objects.select_related("message", "claimed_by")
    reports = reports.defer("message__search_vector").order_by("-created_at")
    against = reading.told_to(reader, reports.filter(message__user=user), "message__tree")
    asked = reading.told_to(reader, Question.objects.filter(person=user), "message__tree")
    return {
        "title": user.public_name,
        "person": user,
        "facts": facts(user, with_address=with_address),
        "counts": numbers,
        "activity": activity(user, now=now),
        "contributions": mine.order_by("-id")[:MOST_ROWS],
        "messages_by": [message_page.bubble(row, veil) for row in told[:MOST_MESSAGES]],
        "reports": items(against[:MOST_ROWS]),
        "reports_by": items(reports.filter(user=user)[:MOST_ROWS]),
        "questions": question_item.items(asked),
        "skill": skill(user),
        "accepted": accepted_share(numbers),
        "messages_url": list_url(Message, f"user__id__exact={user.pk}"),
        "contributions_url": list_url(Contribution, f"user__id__exact={user.pk}"),
        "log": log.entries(user_id=user.pk),
    }


def facts(user: User, *, with_address: bool) -> list[Fact]:
    """The account in words; the address only for admins."""
    address = [(_("E-mail address"), user.email)] if with_address else []
    languages = ", ".join(language_name(code) for code in user.contribution_languages)
    muted = when(user.muted_until) if status(user)[0] == "muted" else NONE
    return [
        (_("Status"), status(user)[1]),
        (_("Role"), role(user)[1]),
        *address,
        (_("Languages"), languages or NONE),
        (_("Joined"), when(user.date_joined)),
        (_("Last sign-in"), when(user.last_login)),
        (_("Muted until"), muted),
        (_("New messages held back since"), when(user.held_since)),
        (_("Accepted the terms"), when(user.tos_accepted_at)),
        (_("Id"), format_html("<code>{}</code>", user.pk)),
    ]


def counts(user: User) -> list[tuple[Any, int]]:
    """Titles and numbers of what a person did and what others made of it. Three queries."""
    written = Message.objects.written_by(user).aggregate(
        all=Count("pk"),
        accepted=Count("pk", filter=Q(review_result=True, deleted=False)),
        rejected=Count("pk", filter=Q(review_result=False, deleted=False)),
        deleted=Count("pk", filter=Q(deleted=True)),
        held=Count("pk", filter=Q(held=True)),
    )
    rows = Contribution.objects.filter(user=user).values_list("kind")
    did = dict(rows.annotate(n=Count("pk")).order_by())
    against = Report.objects.filter(message__user=user).aggregate(
        all=Count("pk"), acted=Count("pk", filter=Q(state=ReportState.RESOLVED))
    )
    return [
        (_l("Messages"), written["all"]),
        (_l("accepted"), written["accepted"]),
        (_l("not accepted"), written["rejected"]),
        (_l("deleted"), written["deleted"]),
        (_l("held back"), written["held"]),
        (_l("Reviews"), did.get(ContributionKind.LABELS, 0)),
        (_l("Rankings"), did.get(ContributionKind.RANKING, 0)),
        (_l("Skips"), did.get(ContributionKind.SKIP, 0)),
        (_l("Reports filed"), did.get(ContributionKind.REPORT, 0)),
        (_l("Reports against"), against["all"]),
        (_l("acted upon"), against["acted"]),
    ]


def accepted_share(numbers: list[tuple[Any, int]]) -> dict[str, int] | None:
    """Percent of a person's decided messages that were accepted; None if none was decided."""
    by_name = {str(name): count for name, count in numbers}
    accepted, rejected = by_name[_("accepted")], by_name[_("not accepted")]
    decided = accepted + rejected
    return {"share": round(100 * accepted / decided), "decided": decided} if decided else None


def skill(user: User) -> list[dict[str, Any]]:
    """How reliable the person's votes are, by group and language, with the gold score."""
    rows = Reliability.objects.filter(user=user).order_by("lang", "group")[:MOST_ROWS]
    return [
        {
            "row": row,
            "lang": language_name(row.lang),
            "words": crowd.skill(row),
            "gold": f"{row.n_gold_right}/{row.n_gold}" if row.n_gold else NONE,
        }
        for row in rows
    ]


def activity(user: User, *, now: datetime) -> dict[str, Any]:
    """Contributions per day of the last weeks, as bars of an SVG 100 high."""
    first = (now - timedelta(days=ACTIVITY_DAYS - 1)).date()
    since = now - timedelta(days=ACTIVITY_DAYS)
    rows = Contribution.objects.filter(user=user, created_at__gte=since)
    by_day = dict(
        rows.annotate(day=TruncDate("created_at"))
        .values_list("day")
        .annotate(n=Count("pk"))
        .order_by()
    )
    days = [first + timedelta(days=number) for number in range(ACTIVITY_DAYS)]
    most = max(by_day.values(), default=0)
    bars = [_bar(number, day, by_day.get(day, 0), most) for number, day in enumerate(days)]
    return {"bars": bars, "total": sum(by_day.values()), "days": ACTIVITY_DAYS}


def _bar(number: int, day: Any, count: int, most: int) -> dict[str, Any]:
    height = round(100 * count / most) if most else 0
    return {"x": number * 10, "y": 100 - height, "height": height, "day": day, "count": count}
