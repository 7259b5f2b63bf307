"""The example client of the documentation does one task of each kind on a running site."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.utils import timezone

from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tasks_app.config import change
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Ranking, Task, TextLabels
from tests import factories
from tests.calling import token_of
from tests.factories import grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SCRIPT = settings.BASE_DIR / "docs" / "examples" / "oasst_client.py"
PROGRAM = (Scope.READ_TASKS, Scope.WRITE_TASKS, Scope.READ_ACCOUNT)


def run(site: str, key: str, *words: str, typed: str = "") -> tuple[int, str]:
    """Exit status and output of the client."""
    command = [sys.executable, str(SCRIPT), "--site", site, "--token", key, *words]
    ended = subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


@pytest.fixture
def user(transactional_db: None) -> User:
    return factories.alice()


def material() -> None:
    """Work of every kind, each in a tree of its own."""
    now = timezone.now()
    change("rank_prompter_replies", True, actor=factories.root(), reason="To try all.", now=now)
    grow("P", now=now)
    grow("P(A)", max_children_count=1, now=now)
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW, now=now)
    grow("P(A?)", max_children_count=1, now=now)
    grow("P(A(P?))", max_children_count=1, now=now)
    grow("P(A A)", state=TreeState.RANKING, now=now)
    grow("P(A(P P))", state=TreeState.RANKING, now=now)
    for _ in range(3):
        grow("P", state=TreeState.PROMPT_LOTTERY_WAITING, now=now)


def typed_for(kind: TaskType) -> str:
    """What somebody types to do a task of the kind; questions beyond the first stay open."""
    if kind.is_writing:
        return f"What I write about {kind}.\nWith a second line.\n.\n"
    if kind.is_labeling:
        return "0\n" + "\n" * 20
    return "all_bad\n" if kind == TaskType.RANK_INITIAL_PROMPTS else "b a\n"


def test_client_does_one_task_of_each_kind(running_site: str, user: User) -> None:
    material()
    key = token_of(user, *PROGRAM)

    for kind in TaskType:
        status, output = run(running_site, key, "do", kind.value, typed=typed_for(kind))
        assert (status, "Thank you." in output) == (0, True), output

    done = Task.objects.filter(user=user, done_at__isnull=False)
    assert set(done.values_list("kind", flat=True)) == set(TaskType)
    texts = Message.objects.filter(user=user).values_list("text", flat=True)
    assert "What I write about assistant_reply.\nWith a second line." in texts
    assert TextLabels.objects.filter(user=user).count() == 3
    assert sorted(len(each.groups) for each in Ranking.objects.filter(user=user)) == [1, 2, 2]
    assert Ranking.objects.filter(user=user, not_rankable=True).count() == 1


def test_client_tells_what_the_site_says(running_site: str, user: User) -> None:
    key = token_of(user, *PROGRAM)
    narrow = token_of(user, Scope.READ_CHATS)
    kind = TaskType.LABEL_ASSISTANT_REPLY.value

    assert run(running_site, key, "whoami")[1].startswith("Alice, level")
    assert run(running_site, key, "do", kind)[0] == 1
    assert run(running_site, narrow, "available") == (
        2,
        "scope_missing: This token may not do that: it lacks the scope tasks:read. "
        "Make another token.\n",
    )
    grow("P(A?)")
    assert "1 label_assistant_reply" in run(running_site, key, "available")[1]
    assert run(running_site, key, "do", kind, typed="skip\n")[1].endswith("Skipped.\n")
    assert Task.objects.get(user=user).skipped_at is not None
