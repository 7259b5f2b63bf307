"""People at the desk: finding them, their page, and what staff may do to whom."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts import roles
from oasst.accounts.models import User
from tasks_app import moderation, reactions
from tasks_app.enums import ReportState, SkillGroup
from tasks_app.models import ModerationAction, Reliability
from tests.factories import NOW, grow, person
from tests.sessions import signed_in
from tests.tasks_app.admin.desk import WHY, act_on, bulk, found, page_of, told

pytestmark = pytest.mark.slow

LIST = "/admin/accounts/user/"
ACTIONS = ("ban", "unban", "mute-1", "mute-7", "mute-30", "unmute", "notes", "rename", "sign-out")


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_addresses_are_for_admins_only(
    moderator: Client, administrator: Client, alice: User
) -> None:
    for url in (LIST, page_of(alice), act_on(alice, "ban")):
        assert alice.email not in moderator.get(url).content.decode(), url
    for url in (LIST, page_of(alice)):
        assert alice.email in administrator.get(url).content.decode(), url


@pytest.mark.parametrize(
    ("words", "for_moderator", "for_admin"),
    [
        ("alic", 1, 1),
        ("ALICE", 1, 1),
        ("alice@example.org", 1, 1),
        ("Alice@Example.org", 1, 1),
        ("@example.org", 0, 4),
        ("nobody", 0, 0),
    ],
)
def test_moderators_find_only_addresses_they_know(
    moderator: Client,
    administrator: Client,
    alice: User,
    bob: User,
    words: str,
    for_moderator: int,
    for_admin: int,
) -> None:
    assert len(found(moderator.get(LIST, {"q": words}))) == for_moderator
    assert len(found(administrator.get(LIST, {"q": words}))) == for_admin


@pytest.mark.parametrize(
    "query",
    [
        f"{LIST}?email__startswith=a",
        f"{LIST}?password__startswith=!",
        f"{LIST}?notes__contains=a",
        "/admin/tasks_app/message/?user__email__startswith=a",
        "/admin/tasks_app/task/?user__email__startswith=a",
        "/admin/tasks_app/moderationaction/?actor__email__startswith=a",
    ],
)
def test_addresses_cannot_be_guessed_letter_by_letter(moderator: Client, query: str) -> None:
    assert moderator.get(query).status_code == 400


def test_search_finds_an_id(moderator: Client, alice: User) -> None:
    assert found(moderator.get(LIST, {"q": str(alice.pk)})) == [alice]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"role": "moderators"}, {"Mona"}),
        ({"role": "none"}, {"Alice", "Bob", "Trudy"}),
        ({"status": "banned"}, {"Trudy"}),
        ({"status": "muted"}, {"Bob"}),
        ({"status": "active"}, {"Alice", "Mona"}),
        ({"lang": "de"}, {"Alice"}),
    ],
)
def test_filters_narrow_the_list(
    moderator: Client, alice: User, bob: User, trudy: User, query: dict, names: set[str]
) -> None:
    User.objects.filter(pk=bob.pk).update(muted_until=timezone.now() + timedelta(days=1))
    User.objects.filter(pk=alice.pk).update(contribution_languages=["en", "de"])

    assert {user.display_name for user in found(moderator.get(LIST, query))} == names


def test_page_shows_everything_on_one_screen(
    moderator: Client, alice: User, bob: User, mona: User
) -> None:
    grown = grow("P(A A- Ax)", author=bob)
    now = timezone.now()
    reactions.report(grown[1].pk, alice, "spam", "", now=now)
    reactions.report(grow("P").root.pk, bob, "pii", "", now=now)
    moderation.mute_user(bob.pk, until=now + timedelta(days=1), actor=mona, reason="hm", now=now)

    response = moderator.get(page_of(bob))

    counts = {str(name): count for name, count in response.context["counts"]}
    assert counts["Messages"] == 4
    assert (counts["accepted"], counts["not accepted"], counts["deleted"]) == (2, 1, 1)
    assert (counts["Reports filed"], counts["Reports against"], counts["acted upon"]) == (1, 1, 0)
    assert response.context["activity"]["total"] == 1
    assert [entry["reason"] for entry in response.context["log"]] == ["hm"]


def test_page_tells_how_well_somebody_judges_and_out_of_how_many(
    moderator: Client, alice: User
) -> None:
    grow("P(A A-)", author=alice)
    skill = {"sensitivity": 0.9, "specificity": 0.25, "n_votes": 40, "weight": 0.31}
    Reliability.objects.create(
        user=alice, group="acceptance", lang="en", doubtful=True, updated_at=NOW, **skill
    )

    page = moderator.get(page_of(alice)).text

    assert "accepts 90 % of what is good, refuses 25 % of what is not" in page
    assert "67 % of the 3 messages that were decided on were accepted." in page


def test_ban_and_unban(moderator: Client, alice: User) -> None:
    response = moderator.post(act_on(alice, "ban"), WHY)
    assert told(response) == ["Alice is banned."]
    assert not fresh(alice).is_active

    moderator.post(act_on(alice, "unban"), WHY)
    assert fresh(alice).is_active
    logged = ModerationAction.objects.order_by("id").values_list("action", "reason")
    assert list(logged) == [("ban_user", WHY["reason"]), ("unban_user", WHY["reason"])]


def test_banned_person_is_signed_out_at_once(moderator: Client, alice: User) -> None:
    browser = signed_in(alice)
    assert browser.get("/dashboard/").status_code == 200

    moderator.post(act_on(alice, "ban"), WHY)

    assert browser.get("/dashboard/").status_code == 302


@pytest.mark.parametrize("days", [1, 7, 30])
def test_mute_lasts_the_days_it_says(moderator: Client, alice: User, days: int) -> None:
    moderator.post(act_on(alice, f"mute-{days}"), WHY)

    left = fresh(alice).muted_until - timezone.now()
    assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)
    assert fresh(alice).is_active

    moderator.post(act_on(alice, "unmute"), WHY)
    assert fresh(alice).muted_until is None


def test_notes_are_kept_and_shown_to_staff(moderator: Client, alice: User) -> None:
    moderator.post(act_on(alice, "notes"), {"notes": "Warned <b>once</b>"})

    assert fresh(alice).notes == "Warned <b>once</b>"
    assert "Warned &lt;b&gt;once" in moderator.get(page_of(alice)).content.decode()


@pytest.mark.parametrize("name", ["", "\u202eevil", "x" * 41])
def test_unfit_names_are_refused(moderator: Client, alice: User, name: str) -> None:
    response = moderator.post(act_on(alice, "rename"), {"display_name": name, **WHY})

    assert response.context["form"].errors
    assert fresh(alice).display_name == "Alice"


def test_rename_replaces_the_name(moderator: Client, alice: User) -> None:
    moderator.post(act_on(alice, "rename"), {"display_name": "A. Lice", **WHY})

    assert fresh(alice).display_name == "A. Lice"


@pytest.mark.parametrize("target", ["max", "root", "self"])
def test_moderators_touch_neither_staff_nor_themselves(
    moderator: Client, mona: User, root: User, target: str
) -> None:
    other = person("Max", role=roles.MODERATORS)
    user = {"max": other, "root": root, "self": mona}[target]
    body = {**WHY, "notes": "x", "display_name": "Changed"}

    for action in ACTIONS:
        assert moderator.post(act_on(user, action), body).status_code == 403, action

    assert not ModerationAction.objects.exists()
    assert moderator.get(page_of(user)).context["buttons"] == []


def test_admin_gives_and_takes_roles(administrator: Client, alice: User, mona: User) -> None:
    administrator.post(act_on(alice, "role"), {"role": "moderators", **WHY})
    administrator.post(act_on(mona, "role"), {"role": "", **WHY})

    assert (fresh(alice).is_moderator, fresh(alice).is_staff) == (True, True)
    assert (fresh(mona).is_moderator, fresh(mona).is_staff) == (False, False)
    assert ModerationAction.objects.filter(action="set_role").count() == 2


@pytest.mark.parametrize("role", ["moderators", "admins"])
def test_moderator_gives_no_roles(moderator: Client, alice: User, role: str) -> None:
    response = moderator.post(act_on(alice, "role"), {"role": role, **WHY})

    assert response.status_code == 403
    assert not fresh(alice).is_staff


def test_unknown_role_is_refused(administrator: Client, alice: User) -> None:
    response = administrator.post(act_on(alice, "role"), {"role": "emperors", **WHY})

    assert response.context["form"].errors["role"]
    assert not fresh(alice).is_staff


def test_bulk_ban_spares_staff_and_says_so(
    moderator: Client, alice: User, bob: User, root: User
) -> None:
    chosen = [alice, bob, root]

    asked = moderator.post(LIST, bulk("ban", chosen, index="0"))
    assert "3 people are signed out at once" in asked.content.decode()
    done = moderator.post(LIST, bulk("ban", chosen, confirmed="yes", **WHY))

    assert "Ban: done for 2." in told(done)
    assert any(text.startswith("Root: You may not") for text in told(done))
    assert not fresh(alice).is_active
    assert not fresh(bob).is_active
    assert fresh(root).is_active


def test_deleted_account_offers_no_actions(moderator: Client, db: None) -> None:
    gone = person("Gone", is_active=False, deleted_at=NOW)

    response = moderator.get(page_of(gone))

    assert "Deleted account" in response.content.decode()
    assert response.context["buttons"] == []


@pytest.fixture
def judged(alice: User, bob: User, mona: User) -> None:
    """Alice judges badly in one of two languages; one report of Bob's message was acted upon."""
    for user, lang, doubtful in ((alice, "en", True), (alice, "de", False), (bob, "en", False)):
        Reliability.objects.create(
            user=user, group=SkillGroup.ACCEPTANCE, lang=lang, sensitivity=0.9, specificity=0.9,
            weight=0.1 if doubtful else 1.0, doubtful=doubtful, updated_at=NOW,
        )  # fmt: skip
    message = grow("P(A)", author=bob)[1]
    outcomes = [(mona, ReportState.RESOLVED), (alice, None)]
    for reporter, outcome in outcomes:
        report = reactions.report(message.pk, reporter, "spam", "", now=NOW)
        if outcome:
            moderation.resolve_report(report.pk, actor=mona, outcome=outcome, note="yes", now=NOW)
    User.objects.filter(pk=alice.pk).update(date_joined=timezone.now() - timedelta(days=3))
    User.objects.filter(pk=bob.pk).update(date_joined=timezone.now() - timedelta(days=90))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("reliability=doubtful", {"Alice"}),
        ("reliability=fine", {"Bob"}),
        ("reliability=unknown", set()),
        ("reports=open", {"Bob"}),
        ("reports=acted", {"Bob"}),
        ("reports=none", {"Alice"}),
        ("joined=day", set()),
        ("joined=week", {"Alice"}),
        ("joined=before", {"Bob"}),
        ("reliability=fine&reports=open&joined=before", {"Bob"}),
        ("reliability=no-such-thing", {"Alice", "Bob"}),
    ],
)
def test_people_are_found_by_what_they_did(
    moderator: Client, judged: None, query: str, expected: set[str]
) -> None:
    names = {person.display_name for person in found(moderator.get(f"{LIST}?{query}"))}

    assert names & {"Alice", "Bob"} == expected
