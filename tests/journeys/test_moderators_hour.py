"""A moderator's hour: what waits, somebody held back, a purge, and a mistake undone."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leaderboard_app import trolls
from leaderboard_app.enums import Frame
from oasst.accounts.models import User
from oasst.lib import queue
from tasks_app import checks, reactions
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind
from tasks_app.models import BulkAction, Message
from tests.factories import Grown, grow, label, reply
from tests.journeys.axe import violations
from tests.tasks_app.admin.desk import list_of, page_of

SignIn = Callable[[User], None]
TROLLBOARD = "/admin/leaderboard_app/trollstats/"


@pytest.fixture
def grown(transactional_db: None, alice: User, bob: User) -> Grown:
    """Bob's tree; Alice reports one of his replies and finds another to be spam."""
    now = timezone.now()
    tree = grow("P(A(P) A A?)", author=bob, now=now)
    reactions.report(tree[1].pk, alice, "hate_speech", "insults", now=now)
    label(alice, tree[4], {"spam": 1.0}, now=now)
    trolls.refresh(Frame.WEEK, now=now)
    return tree


def give_reason(page: Page, reason: str, button: str) -> None:
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


def find_on_trollboard(page: Page, name: str) -> None:
    page.goto(TROLLBOARD)
    expect(page.get_by_text("Troll score =")).to_be_visible()
    page.locator("#result_list").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name="Reports against")).to_be_visible()


def test_moderators_hour(
    page: Page, sign_in: SignIn, mona: User, alice: User, bob: User, grown: Grown
) -> None:
    sign_in(mona)
    find_on_trollboard(page, "Bob")
    page.get_by_role("link", name="Hold back", exact=True).click()
    give_reason(page, "Let us look first.", "Hold back")
    expect(page.get_by_text("New messages of Bob are held back.")).to_be_visible()
    reply(User.objects.get(pk=bob.pk), grow("P(A)").root, "Rude again", now=timezone.now())
    page.goto(list_of(Message) + "?held=yes")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)

    page.goto(page_of(bob))
    page.get_by_role("link", name="Purge contributions").click()
    expect(page.get_by_text("This hides 6 messages")).to_be_visible()
    give_reason(page, "A troll.", "Purge contributions")
    expect(page.get_by_text("The contributions are purged.")).to_be_visible()
    assert not Message.objects.filter(user=bob, deleted=False).exists()

    page.get_by_role("link", name="Bulk action", exact=True).first.click()
    page.get_by_role("link", name="Undo", exact=True).click()
    give_reason(page, "It was somebody else.", "Undo")
    expect(page.get_by_text("Everything it changed is as it was before.")).to_be_visible()
    assert Message.objects.filter(user=bob, deleted=False).count() == 6
    assert list(checks.broken_invariants()) == []


def test_progress_survives_a_refresh_and_goes_on_by_itself(
    page: Page, sign_in: SignIn, mona: User, grown: Grown
) -> None:
    other = grow("P(A)")
    plan = plans.of_messages(BulkKind.DELETE, [grown[2].pk, other[1].pk])
    with queue.silent():  # no worker has taken it up yet
        started = actions.begin(plan, actor=mona, reason="Copies.", now=timezone.now())
    sign_in(mona)
    page.goto(page_of(started))
    expect(page.get_by_text("trees done.")).to_be_visible()
    assert violations(page) == []
    page.reload()

    actions.carry_on(started.pk, now=timezone.now())

    expect(page.get_by_text("It can be undone until")).to_be_visible()
    assert BulkAction.objects.get().is_finished
