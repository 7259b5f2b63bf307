"""The people, rows and forms that the tables speak of."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpResponse
from django.urls import resolve, reverse
from django.utils import timezone

from chat_app import conversations, sharing
from chat_app.models import Chat, ChatMessage
from leaderboard_app import daily, trolls
from leaderboard_app.enums import Frame
from leaderboard_app.models import TeamGoal, TrollStats
from oasst.accounts.models import User
from tasks_app import digests, gold_items, moderation, questions, reactions, rewording
from tasks_app.bulk import actions as bulk
from tasks_app.bulk import plans
from tasks_app.config import change
from tasks_app.enums import BulkKind, SkillGroup, TaskType, TreeState
from tasks_app.models import (
    ConfigChange,
    Contribution,
    Message,
    ModerationAction,
    Reliability,
    Task,
)
from tasks_app.notice_records import Notification
from tests import factories
from tests.chat_app import given
from tests.leaderboard_app import given as community
from tests.permissions.routes import QUEUE_PAGES, every_route
from tests.sessions import browser_of, cookie_of
from tests.training import given as training
from tests.undoing import undone
from training.enums import RoundState
from training.models import Checkpoint, Round


@dataclass
class World:
    """Sessions by person, arguments of routes, and what forms send, by (route, of)."""

    sessions: dict[str, str]
    arguments: dict[str, dict[str, Any]]
    data: dict[tuple[str, str], dict[str, Any]]

    def ask(self, who: str, method: str, route: str, of: str) -> HttpResponse:
        """One request, whose effects are undone."""
        client = browser_of(self.sessions.get(who))
        data = {"csrfmiddlewaretoken": "x"} | self.data.get((route, of), {})
        url = reverse(route, kwargs=self.arguments.get(of) or None)
        with undone():
            return client.get(url) if method == "GET" else client.post(url, data)

    def outcomes(self, people: tuple[str, ...], *request: str) -> list[str]:
        return [outcome(self.ask(who, *request)) for who in people]


def outcome(response: HttpResponse) -> str:
    """A response in the words of the tables."""
    if response.status_code != 302:
        return str(response.status_code)
    path = urlsplit(response["Location"]).path
    return "login" if path == settings.LOGIN_URL else f">{resolve(path).view_name}"


def build() -> World:
    """A world in which everything that the tables name exists."""
    now = timezone.now()
    people = {name: factories.person(name.title()) for name in ("alice", "bob", "max")}
    people |= {"trudy": factories.trudy(), "mona": factories.mona(), "root": factories.root()}
    alice, mona = people["alice"], people["mona"]
    grown = factories.grow("P(A A- Ax A?)", author=alice, now=now)
    factories.grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW, now=now)
    tasks = [
        factories.hand_out(people[name], TaskType.LABEL_INITIAL_PROMPT, now=now)
        for name in ("alice", "max")
    ]
    until = now + timedelta(days=1)
    moderation.mute_user(people["max"].pk, until=until, actor=mona, reason="Rude.", now=now)
    report = reactions.report(grown[1].pk, people["bob"], "spam", "", now=now)
    change("goal_tree_size", 9, actor=people["root"], reason="Shorter trees.", now=now)
    logs = [model.objects.latest("id") for model in (Contribution, ConfigChange, ModerationAction)]
    trained = _training_rows()
    plan = plans.of_messages(BulkKind.LABEL, [grown[1].pk], label="pii")
    logs.append(bulk.do_now(plan, actor=mona, reason="A number.", now=now))
    trolls.refresh(Frame.TOTAL, now=now)
    daily.refresh(now=now)
    logs.append(TrollStats.objects.get(user=alice))
    logs.append(TeamGoal.objects.create(lang="en", target=100))
    points = community.scored(alice, now=now - timedelta(days=1))
    prize = community.prize(now=now)
    logs.append(points)
    logs += _crowd_rows(grown, alice, mona)
    about = {"actor": mona, "reason": "A test.", "now": now}
    asked = questions.ask_author(grown[2].pk, "Why?", **about)
    logs.append(asked)
    shown = [grown[1], grown.tree, report, tasks[0], alice, *logs, *_chat_rows(alice), *trained]
    rows = {type(row).__name__: row for row in shown}
    chat, said = given.thread(alice, "Why is the sky blue?", "Because of scattering.", now=now)
    arguments = _pages(grown, tasks) | _chat_pages(chat, said) | _desk_pages(rows, people["root"])
    arguments |= _training_pages(rows) | {
        "prize": {"prize_id": prize.pk},
        "asked": {"question_id": asked.pk},
    }
    data = _data() | _chat_data(said[1])
    base = rewording.version(grown[4])
    data[("tasks:edit", "mine")] = {"text": "Other words.", "base": base}
    return World({name: cookie_of(user) for name, user in people.items()}, arguments, data)


def _crowd_rows(grown: factories.Grown, user: User, mona: User) -> list[Model]:
    """A gold item, and what is known of how somebody judges."""
    now = timezone.now()
    gold = gold_items.make(
        grown[2].pk, {"spam": 1.0}, explanation="It sells soap.", actor=mona, now=now
    )
    known = {"sensitivity": 0.5, "specificity": 0.5, "weight": 0.0, "updated_at": now}
    row = Reliability.objects.create(
        user=user, group=SkillGroup.ACCEPTANCE, lang="en", doubtful=True, **known
    )
    return [gold, row]


def _chat_rows(user: User) -> list[Model]:
    """A report, the model it is about beside the default one, and its worker."""
    given.served()
    model = given.served("other")
    _chat, (_prompt, reply) = given.thread(user, model=model)
    report = conversations.report(reply, user, "wrong", "", now=timezone.now())
    return [report, model, given.worker(model)]


def _training_rows() -> list[Model]:
    """One of each; the run waits, and what they say of folders is not there."""
    run = training.queued()
    checkpoint = Checkpoint.objects.create(
        name="made", stage="ppo", path="made/final", weights_sha256="0" * 64
    )
    done = Round.objects.create(name="first-1", state=RoundState.DONE)
    return [run, checkpoint, training.snapshot(), done]


def _training_pages(rows: dict[str, Model]) -> dict[str, dict[str, Any]]:
    return {
        "run": {"run_id": rows["TrainingRun"].pk},
        "snapshot": {"name": "first"},
        "file": {"name": "first", "file": "README.md"},
        "round": {"name": "first-1"},
        "made": {"name": "made"},
        "served": {"name": "other"},
        "cancel": {"object_id": rows["TrainingRun"].pk, "name": "cancel"},
        "serve": {"object_id": rows["Checkpoint"].pk, "name": "promote"},
    }


def _pages(grown: factories.Grown, tasks: list[Task]) -> dict[str, dict[str, Any]]:
    """What the words in the column "of" stand for."""
    accepted, refused, removed, waiting = grown[1:5]
    told = Notification.objects.create(
        user=accepted.user, kind="accepted", message=accepted, created_at=timezone.now()
    )
    return {
        "random": {"kind": "random"},
        "first": {"kind": "label_initial_prompt"},
        "practice": {"item_id": "en-bread"},
        "written": {"lang": "pt-BR"},
        "nonsense": {"kind": "nonsense"},
        "review": {"task_id": tasks[0].pk},
        "maxs": {"task_id": tasks[1].pk},
        "message": {"message_id": accepted.pk},
        "refused": {"message_id": refused.pk},
        "removed": {"message_id": removed.pk},
        "mine": {"message_id": waiting.pk},
        "tree": {"tree_id": grown.tree.pk},
        "told": {"notification_id": told.pk},
        "stop": {"token": digests.token_for(told.user_id)},
        "unknown": {"token": "unknown"},
        "handle": {"handle": "unknown"},
        "identity": {"identity_id": "1"},
        "key": {"pk": "1"},
        "plot": {"name": "messages"},
        "noplot": {"name": "unknown"},
        "token": {"token_id": tasks[0].pk},
        "list": {"list_name": "tasks_app.message"},
        "nowhere": {"list_name": "accounts.apitoken"},
        "view": {"list_name": "tasks_app.message", "view_id": tasks[0].pk},
        "mail": {"mail_id": "unknown"},
    }


def _chat_pages(chat: Chat, said: list[ChatMessage]) -> dict[str, dict[str, Any]]:
    """A chat of Alice's."""
    shared = sharing.share(chat, now=timezone.now())
    prompt, reply = ({"chat_id": chat.pk, "message_id": message.pk} for message in said)
    return {
        "chat": {"chat_id": chat.pk},
        "prompt": prompt,
        "reply": reply,
        "shared": {"token": shared.token},
    }


def _chat_data(reply: ChatMessage) -> dict[tuple[str, str], dict[str, Any]]:
    values = {"preset": "k50", "temperature": 1, "repetition_penalty": 1, "max_new_tokens": 9}
    return {
        ("chat:list", "-"): {"text": "Hello"},
        ("chat:settings", "-"): {"about_me": "I teach."},
        ("chat:say", "chat"): {"text": "And at night?", "parent": reply.pk},
        ("chat:chat_settings", "chat"): values,
        ("chat:edit", "prompt"): {"text": "Why is the sky grey?"},
        ("chat:vote", "reply"): {"value": 1},
        ("chat:report", "reply"): {"kind": "wrong"},
        ("chat:offer", "reply"): {"lang": "en"},
    }


def _desk_pages(rows: dict[str, Model], root: User) -> dict[str, dict[str, Any]]:
    def act(model: str, name: str) -> dict[str, Any]:
        return {"object_id": rows[model].pk, "name": name}

    message = ContentType.objects.get_for_model(Message)
    return {
        "app": {"app_label": "tasks_app"},
        "setting": {"name": "goal_tree_size"},
        "row": {"content_type_id": message.pk, "object_id": rows["Message"].pk},
        "delete": act("Message", "delete"),
        "make_gold": act("Message", "make-gold"),
        "retire": act("GoldItem", "retire"),
        "halt": act("MessageTree", "halt"),
        "decide": act("Report", "decide"),
        "ban": act("User", "ban"),
        "purge": act("User", "purge"),
        "hold": act("User", "hold"),
        "unmute": act("ModerationAction", "undo"),
        "undo": act("BulkAction", "undo"),
        "promote": act("User", "role"),
        "ask": act("Message", "ask"),
        "ask_report": act("Report", "ask"),
        "ask_person": act("User", "ask"),
        "take_back": act("Question", "withdraw"),
        "ask_root": {"object_id": root.pk, "name": "ask"},
        "ban_root": {"object_id": root.pk, "name": "ban"},
        "resolve": act("ChatReport", "resolve"),
        "withdraw": act("ServedModel", "withdraw"),
        "nothing": {"object_id": 1, "name": "delete"},
        **{name: {"object_id": row.pk} for name, row in rows.items()},
        **{name: _placeholders(path) for path, name in every_route() if QUEUE_PAGES in name},
    }


def _placeholders(path: str) -> dict[str, Any]:
    """Arguments of the right types for a route, of things that do not exist."""
    found = re.findall(r"<(\w+):(\w+)>", path)
    return {name: 0 if kind == "int" else "unknown" for kind, name in found}


def _data() -> dict[tuple[str, str], dict[str, Any]]:
    """What forms send where something should come of it."""
    reason = {"reason": "A test."}
    return {
        ("training:new", "-"): {"config_yaml": "stage: sft\nname: mine\nmodel: {path: tiny}"},
        ("training:preview", "-"): {"config_yaml": "stage: nonsense"},
        ("training:snapshots", "-"): {"name": "second"},
        ("training:promote", "made"): {"name": "best"},
        ("admin:training_checkpoint_act", "serve"): {"name": "best"},
        ("tasks:work", "review"): {"spam": "0"},
        ("tasks:work", "maxs"): {"spam": "0"},
        **{("tasks:react", of): {"code": "+1"} for of in ("message", "refused", "removed")},
        **{("tasks:report", of): {"category": "spam"} for of in ("message", "refused")},
        **{("tasks:label", of): {"spam": "0"} for of in ("message", "removed")},
        ("admin:tasks_app_configchange_set", "setting"): {"value": "8"} | reason,
        ("admin:tasks_app_message_act", "delete"): reason,
        ("admin:tasks_app_message_act", "make_gold"): {"spam": "0", "explanation": "Fine."},
        ("admin:tasks_app_golditem_act", "retire"): reason,
        ("admin:tasks_app_messagetree_act", "halt"): reason,
        ("admin:tasks_app_report_act", "decide"): {"outcome": "dismissed", "note": "A test."},
        ("admin:chat_app_chatreport_act", "resolve"): {"resolution": "A test."},
        **{("admin:accounts_user_act", name): reason for name in ("ban", "purge", "hold")},
        ("admin:tasks_app_moderationaction_act", "unmute"): reason,
        ("admin:tasks_app_bulkaction_act", "undo"): reason,
        ("admin:accounts_user_act", "promote"): {"role": "moderators"} | reason,
        ("admin:accounts_user_act", "ban_root"): reason,
        **{
            (f"admin:{model}_act", of): {"text": "Why?"} | reason
            for model, of in (
                ("tasks_app_message", "ask"),
                ("tasks_app_report", "ask_report"),
                ("accounts_user", "ask_person"),
                ("accounts_user", "ask_root"),
            )
        },
        ("tasks:question", "asked"): {"text": "Because."},
        ("admin:tasks_app_question_act", "take_back"): reason,
    }
