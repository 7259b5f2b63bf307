"""Mona moderates: from the overview to a decision, in bulk, and back; on pages that hold WCAG."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leaderboard_app import trolls
from leaderboard_app.enums import Frame
from oasst.accounts import saved_views
from oasst.accounts.models import User
from tasks_app import gold_items, moderation, questions, reactions
from tasks_app.bulk import actions as bulk
from tasks_app.bulk import plans
from tasks_app.enums import BulkKind, SkillGroup
from tasks_app.models import Message, ModerationAction, Reliability, Report, Task
from tests.factories import Grown, grow, hand_out
from tests.journeys.axe import violations
from tests.leaderboard_app import given
from tests.tasks_app.admin.desk import act_on, list_of, page_of

SignIn = Callable[[User], None]
LISTS = ("message", "messagetree", "task", "report", "contribution", "moderationaction",
         "bulkaction", "golditem", "question", "reliability")  # fmt: skip
LOOKS = [("light", 1280), ("light", 360), ("dark", 1280), ("dark", 360)]


@pytest.fixture
def grown(transactional_db: None, alice: User, bob: User) -> Grown:
    return grow("P(A(P) A A?)", author=bob)


@pytest.fixture
def report(grown: Grown, alice: User) -> Report:
    return reactions.report(grown[1].pk, alice, "pii", "a telephone number", now=timezone.now())


def hidden(grown: Grown) -> list[bool]:
    return [message.deleted for message in grown.refresh()]


def test_report_is_taken_and_its_message_deleted_on_the_spot(
    page: Page, sign_in: SignIn, mona: User, grown: Grown, report: Report
) -> None:
    sign_in(mona)
    page.goto("/admin/")
    page.locator("main, #main").get_by_role("link", name="Personal data").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("The report is yours for 30 minutes.")).to_be_visible()

    page.get_by_label("Acted upon").check()
    page.get_by_label("Delete the message and everything below it").check()
    page.get_by_label("Note").fill("Contains a telephone number.")
    page.get_by_role("button", name="Decide").click()

    expect(page.get_by_text("1 report is decided.")).to_be_visible()
    assert hidden(grown) == [False, True, True, False, False]
    assert Report.objects.get().resolved_by == mona


def test_chosen_messages_are_deleted_and_restored(
    page: Page, sign_in: SignIn, mona: User, grown: Grown
) -> None:
    sign_in(mona)
    page.goto(list_of(Message))
    for place in (3, 4):
        page.locator(f"input[value='{grown[place].pk}']").check()
    page.get_by_label("Select action to run").select_option(label="Delete")
    page.locator("#changelist-form button[type=submit]").click()
    expect(page.get_by_text("This hides 2 messages")).to_be_visible()
    page.get_by_label("Reason").fill("Twice the same.")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Delete: done for 2.")).to_be_visible()
    assert hidden(grown) == [False, False, False, True, True]

    page.goto(page_of(grown[3]))
    page.get_by_role("link", name="Restore").click()
    page.get_by_label("Reason").fill("They were not.")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("1 message is shown again.")).to_be_visible()
    assert hidden(grown) == [False, False, False, False, True]


def test_person_is_banned_by_keyboard_alone(
    page: Page, sign_in: SignIn, mona: User, bob: User, grown: Grown
) -> None:
    sign_in(mona)
    page.goto(page_of(bob))
    page.get_by_role("link", name="Ban", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{act_on(bob, 'ban')}")
    page.get_by_label("Reason").focus()
    page.keyboard.type("Advertising.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Ban")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{page_of(bob)}")

    expect(page.get_by_text("Bob is banned.")).to_be_visible()
    assert not User.objects.get(pk=bob.pk).is_active
    assert ModerationAction.objects.get().reason == "Advertising."


def test_search_and_filters_find_a_message(
    page: Page, sign_in: SignIn, mona: User, alice: User, bob: User, grown: Grown
) -> None:
    sign_in(mona)
    page.goto("/admin/")
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("bob")
    page.locator("#command-results-list").get_by_text("Bob").click()
    page.wait_for_url(f"**{page_of(bob)}")

    page.goto(list_of(Message))
    page.get_by_text("Filters").first.click()
    page.locator(".unfold-filter-autocomplete + .select2").click()
    page.keyboard.type("ali")
    page.get_by_role("option", name="Alice").click()
    page.get_by_role("button", name="Apply Filters").click()
    expect(page.locator("#result_list")).to_have_count(0)


def crowd_pages(root: User, person: User) -> list[str]:
    """What is known of a person's judgement, their points, and a prize that they won."""
    now = timezone.now()
    known = grow("P(A-)", now=now)[1]
    soap = "It only sells soap."
    gold = gold_items.make(known.pk, {"spam": 1.0}, explanation=soap, actor=root, now=now)
    row = Reliability.objects.create(
        user=person, group=SkillGroup.ACCEPTANCE, lang="en", sensitivity=0.9, specificity=0.2,
        weight=0.1, doubtful=True, n_votes=40, n_gold=9, n_gold_right=4, updated_at=now,
    )  # fmt: skip
    given.scored(person, now=now - timedelta(days=1))
    prize = given.prize(now=now)
    return [
        *map(page_of, (gold, row)),
        "/admin/leaderboard_app/pointentry/",
        f"/leaderboard/prizes/{prize.pk}/",
    ]


def desk_pages(root: User, grown: Grown, report: Report) -> list[str]:
    """Every page of the desk, each with something on it."""
    now = timezone.now()
    task: Task = hand_out(root, "label_assistant_reply", now=now)
    words = "`code` and **words**"
    moderation.edit_message(grown[2].pk, words, actor=root, reason="why", now=now)
    plan = plans.of_messages(BulkKind.LABEL, [grown[2].pk], label="spam")
    labelled = bulk.do_now(plan, actor=root, reason="why", now=now)
    trolls.refresh(Frame.WEEK, now=now)
    for name, query in (("Reported", "reported=yes"), ("Gone", "no_such_filter=1")):
        saved_views.save(root, "tasks_app.message", name, query, now=now)
    logged = ModerationAction.objects.get(bulk_id=labelled.pk)
    asked = questions.ask_author(grown[2].pk, "Why?", actor=root, reason="why", now=now)
    person = grown.root.user
    rows = (grown[2], grown.tree, report, task, person, labelled, logged, asked)
    return [
        "/admin/",
        *(f"/admin/tasks_app/{name}/" for name in LISTS),
        "/admin/tasks_app/message/?reported=yes",
        "/admin/leaderboard_app/trollstats/",
        "/admin/leaderboard_app/teamgoal/",
        "/leaderboard/prizes/",
        "/admin/tasks_app/configchange/",
        "/admin/tasks_app/configchange/set/goal_tree_size/",
        "/admin/accounts/user/",
        *map(page_of, rows),
        *(act_on(person, name) for name in ("role", "purge")),
        *(act_on(grown[2], name) for name in ("edit", "make-gold", "ask")),
        act_on(labelled, "undo"),
        *crowd_pages(root, person),
    ]


@pytest.mark.parametrize(
    ("theme", "width", "step"),
    # Every day every other page, in the usual look.
    [(*LOOKS[0], 2), *(pytest.param(*look, 1, marks=pytest.mark.full) for look in LOOKS)],
)
def test_desk_breaks_no_rule_and_fits_a_phone(
    page: Page,
    sign_in: SignIn,
    root: User,
    grown: Grown,
    report: Report,
    theme: str,
    width: int,
    step: int,
) -> None:
    paths = desk_pages(root, grown, report)[::step]
    sign_in(root)
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 800})
    for path in paths:
        page.goto(path)
        assert (path, violations(page)) == (path, [])
        assert (path, page.evaluate("document.documentElement.scrollWidth") <= width) == (
            path,
            True,
        )
