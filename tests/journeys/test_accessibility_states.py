"""The pages one rarely sees hold the same rules: errors, empty lists, forms that came back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from playwright.sync_api import Page, expect

from oasst.accounts import magic_link
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import User
from oasst.lib import pages
from tasks_app import gold_items, interactions, moderation, questions, reactions, topics
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TaskType as K
from tasks_app.enums import TreeState
from tasks_app.models import Task
from tests.factories import Grown, grow, hand_out
from tests.journeys.looks import problems
from tests.journeys.mails import ask_for_mail, link_from_mailbox
from tests.sessions import signed_in
from tests.tasks_app import votes

Show = Callable[[str], None]
SignIn = Callable[[User], None]


def check(page: Page, path: str = "") -> None:
    assert (path or page.url, problems(page)) == (path or page.url, [])


def send_as_it_is(page: Page) -> None:
    """Send the page's form as it stands, past what the browser checks."""
    with page.expect_navigation():
        # Not that of the hints.
        form = page.locator("main form[method=post]:not(.needs-script)").first
        form.evaluate("form => form.submit()")


def test_pages_of_signing_in(page: Page, show: Show, newcomer: str) -> None:
    show("/accounts/login/")
    send_as_it_is(page)
    check(page, "login with an error")
    ask_for_mail(page, newcomer)
    check(page, "mail sent")
    send_as_it_is(page)
    check(page, "code with an error")
    show("/dev/components/")
    check(page)
    show("/dev/mailbox/")
    check(page)
    link = link_from_mailbox(page, newcomer)
    check(page, "mail in the mailbox")
    show(link)
    check(page, "link")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/account/welcome/**")
    check(page, "welcome")
    show(link)
    check(page, "link that was used")


def test_pages_of_an_account(page: Page, show: Show, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    show("/account/")
    page.get_by_label("Display name").fill("\u200b")
    send_as_it_is(page)
    check(page, "account with errors")
    factor = "/account/second-factor/"
    for path in ("/account/email/", "/account/delete/", "/accounts/logout/", factor,
                 f"{factor}app/", f"{factor}passkeys/add/"):  # fmt: skip
        show(path)
        check(page)
    show("/account/email/")
    page.get_by_label("New e-mail address").fill("alice.two@example.org")
    send_as_it_is(page)
    check(page, "address to be confirmed")
    show("/account/delete/")
    send_as_it_is(page)
    check(page, "deletion with an error")
    page.get_by_label("Type your e-mail address").fill(alice.email)
    send_as_it_is(page)
    check(page, "account deleted")


def test_pages_of_links_and_providers(page: Page, show: Show, alice: User) -> None:
    now = timezone.now()
    asked = magic_link.prepare("new@example.org", CodePurpose.CHANGE_EMAIL, now=now, user=alice)
    token = magic_link.issue(asked, now=now).token
    failed = "/accounts/3rdparty/login/"
    for path in (f"/account/email/link/{token}/", "/account/email/link/unknown/",
                 "/accounts/inactive/", f"{failed}cancelled/", f"{failed}error/"):  # fmt: skip
        show(path)
        check(page)


def test_pages_about_agreement(page: Page, show: Show, sign_in: SignIn, mona: User) -> None:
    show("/stats/agreement/")
    check(page, "too few votes")
    sign_in(mona)
    show("/stats/agreement/disputed/")
    check(page, "nothing disputed")
    show("/stats/agreement/people/")
    check(page, "nobody to compare")
    votes.judged(votes.random_units())
    votes.ranked([["abc", "cba"], *[["abc", "acb"]] * 20])
    for path in ("/stats/agreement/", "/stats/agreement/?measure=rankings",
                 "/stats/agreement/?lang=xx", "/stats/agreement/disputed/",
                 "/stats/agreement/disputed/?measure=rankings",
                 "/stats/agreement/disputed/?week=2026-W54",
                 "/stats/agreement/people/", "/stats/agreement/people/?people=30&measure=rankings",
                 "/stats/agreement/people/?people=x",
                 f"/stats/agreement/disputed/?week={votes.NOW:%G-W%V}"):  # fmt: skip
        show(path)
        check(page)


@pytest.fixture
def grown(transactional_db: None, bob: User) -> Grown:
    return grow("P(A(P) A A?)", author=bob)


def test_pages_with_little_to_show(page: Page, show: Show, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    nothing = "/tasks/rank_assistant_replies/next/"
    for path in ("/dashboard/", "/tasks/", "/messages/", "/messages/?mine=on", "/messages/?q=x",
                 "/messages/?before=x", "/contributions/", nothing,
                 "/tasks/rank_prompter_replies/next/",
                 "/tasks/random/next/?lang=xx"):  # fmt: skip
        show(path)
        check(page)
    User.objects.update(contribution_languages=[])
    show(nothing)
    check(page, "no language")
    User.objects.update(muted_until=timezone.now() + timedelta(days=1))
    show(nothing)
    check(page, "muted")


def test_forms_about_a_message(
    page: Page, show: Show, sign_in: SignIn, alice: User, grown: Grown
) -> None:
    sign_in(alice)
    for action in ("react", "report", "labels"):
        show(f"/messages/{grown[1].pk}/{action}/")
        check(page)
    for action in ("report", "labels"):
        show(f"/messages/{grown[1].pk}/{action}/")
        send_as_it_is(page)
        check(page, f"{action} with an error")
    show(f"/trees/{grown.tree.pk}/")
    page.locator(f"#m-{grown[1].pk} .menu summary").last.click()
    page.get_by_role("link", name="Report").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page, "report in a dialog")


def test_change_of_an_own_message(
    page: Page, show: Show, sign_in: SignIn, alice: User, bob: User
) -> None:
    grown = grow("P(A A?)", authors={0: alice, 2: alice})
    topics.begin(grown.root, ["law"], now=timezone.now())
    sign_in(alice)
    for path in ("", "topics/"):
        show(f"/trees/{grown.tree.pk}/{path}")
        check(page)
    show(f"/messages/{grown[2].pk}/edit/")
    check(page)
    page.get_by_label("Your message").fill("  ")
    send_as_it_is(page)
    check(page, "without words")
    page.get_by_label("Your message").fill("Other words, in **bold**.")
    expect(page.locator("#preview strong")).to_have_text("bold")
    check(page, "with a preview")
    hand_out(bob, K.LABEL_ASSISTANT_REPLY, grown[2], now=timezone.now())
    send_as_it_is(page)
    expect(page.get_by_role("alert")).to_contain_text("so its text stays")
    check(page, "that came too late")


def see_the_ways_to_rank(page: Page) -> None:
    """Two at a time and their differences; ends with the list."""
    pairs, toggle = page.locator("[data-pairs]"), page.get_by_role("button", name="Two at a time")
    if pairs.is_hidden():  # phones begin with it
        toggle.click()
    check(page, "two at a time")
    page.get_by_role("button", name="Show the differences").click()
    expect(page.get_by_role("dialog", name="Differences").get_by_role("status")).to_be_visible()
    check(page, "differences")
    page.keyboard.press("Escape")
    toggle.click()
    expect(pairs).to_be_hidden()


def test_task_pages_with_errors(
    page: Page, show: Show, sign_in: SignIn, alice: User, grown: Grown
) -> None:
    sign_in(alice)
    ranked = grow("P(A A A)", state=TreeState.RANKING)
    work = [
        (K.ASSISTANT_REPLY, grown[2]),
        (K.LABEL_ASSISTANT_REPLY, grown[4]),
        (K.RANK_ASSISTANT_REPLIES, ranked.root),
    ]
    for kind, message in work:
        task = hand_out(alice, kind, message, now=timezone.now())
        show(f"/tasks/{task.pk}/")
        if kind.is_ranking:
            see_the_ways_to_rank(page)
            page.get_by_role("button", name="Submit and next").click()
            check(page, "order untouched")
        send_as_it_is(page)
        check(page, f"{kind} with errors")
        page.get_by_role("button", name="Skip").first.click()
        check(page, f"{kind} skipping")


def test_pages_of_tasks_that_are_over(
    page: Page, show: Show, sign_in: SignIn, alice: User, mona: User, grown: Grown
) -> None:
    sign_in(alice)
    now = timezone.now()
    task = hand_out(alice, K.ASSISTANT_REPLY, grown[2], now=now)
    interactions.save_draft(task.pk, alice, {"text": "Words."}, now=now)
    Task.objects.update(expires_at=now, reserved_until=now, holds_slot=False)
    show(f"/tasks/{task.pk}/")
    check(page, "expired")
    done = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grown[4], now=now)
    interactions.submit_labels(done.pk, alice, {"spam": 0.0}, now=now)
    show(f"/tasks/{done.pk}/")
    check(page, "done")
    reactions.report(grown[1].pk, alice, "spam", "", now=now)
    show("/contributions/")
    check(page, "with a text that was kept, and a report")
    page.get_by_role("link", name="Discard").click()
    expect(page.get_by_role("dialog", name="Discard this text?")).to_be_visible()
    check(page, "about to discard")
    show(f"/tasks/{task.pk}/discard/")
    check(page)
    moderation.delete_message(grown[4].pk, actor=mona, reason="Rude.", now=now)
    show(f"/trees/{grown.tree.pk}/")
    check(page, "tree with a removed message")


def test_question_of_the_moderators(
    page: Page, show: Show, sign_in: SignIn, alice: User, mona: User
) -> None:
    about: dict[str, Any] = {"actor": mona, "reason": "A copy?", "now": timezone.now()}
    mine = grow("P(A)", authors={1: alice})[1]
    asked = questions.ask_author(mine.pk, "Where is this from?", **about)
    sign_in(alice)
    show(f"/questions/{asked.pk}/")
    check(page)
    send_as_it_is(page)
    check(page, "an answer without words")
    questions.answer(asked.pk, alice, "My notes.", now=timezone.now())
    page.get_by_label("Your answer").fill("Or a book.")
    send_as_it_is(page)
    expect(page.get_by_text("What you wrote now was not sent")).to_be_visible()
    check(page, "answered already")


@pytest.mark.parametrize("spam", [1.0, 0.0], ids=["right", "missed"])
def test_page_after_a_gold_item(
    page: Page, show: Show, sign_in: SignIn, alice: User, mona: User, spam: float
) -> None:
    now = timezone.now()
    grow("P(A?)")
    known = grow("P(A-)", state=TreeState.ABORTED_LOW_GRADE)[1]
    why = "It only sells soap to somebody who wants to bake bread."
    gold_items.make(known.pk, {"spam": 1.0}, explanation=why, actor=mona, now=now)
    with overridden(p_gold=1.0, p_gold_newcomer=1.0):
        task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, now=now)
    interactions.submit_labels(task.pk, alice, {"spam": spam}, now=now)
    sign_in(alice)

    show(f"/tasks/{task.pk}/")

    expect(page.get_by_text(why)).to_be_visible()
    check(page)


def test_too_many_open_tasks(page: Page, show: Show, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    most = TreeConfig.current().max_pending_tasks_per_user
    for _ in range(most):
        hand_out(alice, K.ASSISTANT_REPLY, grow("P").root, now=timezone.now())

    show("/tasks/label_initial_prompt/next/")

    expect(page.get_by_role("heading", level=1)).to_have_text("Finish what is open first")
    check(page)


# Errors: the site under test shows developers' pages in their place, so these come from here.


def answers(alice: User, mona: User) -> dict[str, HttpResponse]:
    client, request = signed_in(alice), RequestFactory().get("/")
    strict = Client(enforce_csrf_checks=True)
    request.user = alice
    return {
        "400": client.get("/", headers={"host": "elsewhere.example"}),
        "403": signed_in(mona).get("/admin/queues/"),
        "403 without a token": strict.post("/accounts/login/"),
        "404": client.get("/nothing/here/"),
        "404 for visitors": Client().get("/nothing/here/"),
        "429": pages.too_many_requests(request, retry_after_s=90),
        "500": pages.server_error(request),
    }


def serve(page: Page, url: str, answer: HttpResponse) -> None:
    """Let the site answer an address with this."""
    body, content_type = answer.content, answer.headers["Content-Type"]
    page.unroute(url)
    page.route(url, lambda route: route.fulfill(body=body, content_type=content_type))


def test_error_pages(page: Page, show: Show, alice: User, mona: User, site: str) -> None:
    for name, answer in answers(alice, mona).items():
        status = name.split()[0]
        assert (name, str(answer.status_code)) == (name, status)
        serve(page, f"{site}/error/", answer)

        show("/error/")

        expect(page.locator(".error-facts")).to_contain_text(f"Error {status}")
        check(page, name)
