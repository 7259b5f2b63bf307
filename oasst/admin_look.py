"""How the admin looks and what stands in its side bar: the settings of django-unfold."""

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext_lazy as _


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _page(title: Any, icon: str, model: str, query: str = "", **extra: Any) -> dict[str, Any]:
    """A link to the list of a model, perhaps to some of its rows, for those who may view it."""
    app, name = model.split(".")
    permission = _may(f"{app}.view_{name}")
    return {**_list_of(model, title, query), "icon": icon, "permission": permission, **extra}


def _list_of(model: str, title: Any, query: str) -> dict[str, Any]:
    """A list of `model`, perhaps with filters set."""
    app, name = model.split(".")
    return {"title": title, "page": (f"admin:{app}_{name}_changelist", query)}


def _is_admin(request: HttpRequest) -> bool:
    return getattr(request.user, "is_admin", False)


_STYLES = ("tokens", "conversation", "desk")

# The accent and the paper of static/css/tokens.css, in the steps that unfold wants.
_TEAL = {"50": (98, 0.012), "100": (95.3, 0.022), "200": (90, 0.04), "300": (84, 0.066),
         "400": (79.5, 0.09), "500": (74, 0.1), "600": (46, 0.083), "700": (39.5, 0.074),
         "800": (34, 0.06), "900": (30, 0.05), "950": (24, 0.04)}  # fmt: skip
_PAPER = {"50": (98.4, 0.003), "100": (96.2, 0.004), "200": (90, 0.006), "300": (84, 0.008),
          "400": (69.5, 0.01), "500": (50, 0.014), "600": (40.5, 0.014), "700": (35, 0.013),
          "800": (31.5, 0.011), "900": (20.5, 0.008), "950": (17.8, 0.008)}  # fmt: skip


def _scale(steps: dict[str, tuple[float, float]], hue: int) -> dict[str, str]:
    return {step: f"oklch({light}% {chroma} {hue})" for step, (light, chroma) in steps.items()}


_INDEX = ("admin:index", "")
_NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            {
                "title": _("Overview"),
                "icon": "space_dashboard",
                "page": _INDEX,
            },
            _page(_("Reports"), "flag", "tasks_app.report",
                  badge="tasks_app.admin.dashboard.open_reports"),
            _page(_("Questions to people"), "contact_support", "tasks_app.question"),
        ],
    },
    {
        "title": _("Conversations"),
        "items": [
            _page(_("Messages"), "chat", "tasks_app.message"),
            _page(_("Trees"), "account_tree", "tasks_app.messagetree"),
            _page(_("Tasks"), "checklist", "tasks_app.task"),
            _page(_("Reviewers differ"), "call_split", "tasks_app.message", query="?split=yes",
                  badge="tasks_app.admin.crowd.split_messages"),
            _page(_("Gold items"), "stars", "tasks_app.golditem"),
        ],
    },
    {
        "title": _("Chat"),
        "items": [
            _page(_("Reports on chats"), "report", "chat_app.chatreport",
                  badge="chat_app.admin.open_reports"),
            _page(_("Models"), "neurology", "chat_app.servedmodel"),
            _page(_("Inference workers"), "memory", "chat_app.worker"),
        ],
    },
    {
        "title": _("Training"),
        "items": [
            _page(_("Runs"), "monitoring", "training.trainingrun"),
            _page(_("Rounds"), "cycle", "training.round"),
            _page(_("Snapshots"), "photo_camera", "training.snapshot"),
            _page(_("Trained models"), "deployed_code", "training.checkpoint"),
        ],
    },
    {
        "title": _("People"),
        "items": [
            _page(_("People"), "group", "accounts.user"),
            _page(_("Trollboard"), "sentiment_dissatisfied", "leaderboard_app.trollstats"),
            _page(_("Points"), "stars", "leaderboard_app.pointentry"),
            _page(_("Goals of languages"), "flag", "leaderboard_app.teamgoal"),
            _page(_("Contributions"), "history", "tasks_app.contribution"),
            _page(_("Reliability"), "balance", "tasks_app.reliability",
                  badge="tasks_app.admin.crowd.doubtful_people"),
        ],
    },
    {
        "title": _("Running the site"),
        "items": [
            _page(_("Configuration"), "tune", "tasks_app.configchange"),
            _page(_("Moderation log"), "gavel", "tasks_app.moderationaction"),
            _page(_("Bulk actions"), "checklist_rtl", "tasks_app.bulkaction"),
            {
                "title": _("Job queue"),
                "icon": "queue",
                "page": ("django_rq:home", ""),
                "permission": _is_admin,
            },
        ],
    },
]  # fmt: skip


# Filters that moderators set again and again.
_TABS: list[dict[str, Any]] = [
    {
        "models": ["tasks_app.message"],
        "items": [
            _list_of("tasks_app.message", _("Held back"), "?held=yes"),
            _list_of("tasks_app.message", _("Reported"), "?reported=yes"),
            _list_of("tasks_app.message", _("Deleted"), "?is_deleted=yes"),
        ],
    },
    {
        "models": ["leaderboard_app.trollstats"],
        "items": [
            _list_of("leaderboard_app.trollstats", _("Week"), "?frame=week"),
            _list_of("leaderboard_app.trollstats", _("Day"), "?frame=day"),
            _list_of("leaderboard_app.trollstats", _("Month"), "?frame=month"),
            _list_of("leaderboard_app.trollstats", _("All time"), "?frame=total"),
        ],
    },
]


@cache
def _addresses(_script_prefix: str) -> dict[tuple[str, str], str]:
    """The address of every page of the side bar and the tabs.

    Found once a process: unfold asks for each of them several times a page.
    """
    items = [item for group in (*_NAVIGATION, *_TABS) for item in group["items"]]
    return {item["page"]: reverse(item["page"][0]) + item["page"][1] for item in items}


def _linked(groups: list[dict[str, Any]], request: HttpRequest) -> list[dict[str, Any]]:
    """`groups` with the addresses of their pages; the entry of this page is marked."""
    addresses = _addresses(get_script_prefix())
    links = [addresses[item["page"]] for group in groups for item in group["items"]]
    here = _entry_of(request.path, request.GET.dict(), links, index=addresses[_INDEX])

    def linked(item: dict[str, Any]) -> dict[str, Any]:
        link = addresses[item["page"]]
        return {**item, "link": link, "active": link == here}

    return [{**group, "items": [*map(linked, group["items"])]} for group in groups]


def _entry_of(path: str, query: dict[str, Any], links: list[str], *, index: str) -> str | None:
    """The link that says most of an address: the longest path, then the most of its query.

    All pages lie below `index`, so that one stands for itself alone.
    """
    given, fitting = set(query.items()), []
    for link in links:
        parts = urlsplit(link)
        asked = parse_qsl(parts.query)
        leads_here = path == parts.path if link == index else path.startswith(parts.path)
        if leads_here and given.issuperset(asked):
            fitting.append((len(parts.path), len(asked), link))
    return max(fitting)[2] if fitting else None


def _navigation(request: HttpRequest) -> list[dict[str, Any]]:
    return _linked(_NAVIGATION, request)


def _tabs(request: HttpRequest) -> list[dict[str, Any]]:
    return _linked(_TABS, request)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Moderators' desk"),
    "SITE_HEADER": "Open Assistant",
    "SITE_SUBHEADER": _("Moderators' desk"),
    "SITE_URL": "/",
    "SITE_ICON": lambda _request: static("img/favicon.svg"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("img/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _scale(_TEAL, 195), "base": _scale(_PAPER, 215)},
    "STYLES": [lambda _request, name=name: static(f"css/{name}.css") for name in _STYLES],
    "TABS": _tabs,
    "DASHBOARD_CALLBACK": "tasks_app.admin.dashboard.fill",
    "COMMAND": {"search_callback": "tasks_app.admin.search.results"},
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": _navigation},
}
