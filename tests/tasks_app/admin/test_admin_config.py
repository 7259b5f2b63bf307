"""The configuration page: what holds and why, changing it, and who may."""

import pytest
from django.test import Client, override_settings

from oasst.accounts.models import User
from tasks_app import config
from tasks_app.config import ConfigChange, TreeConfig
from tests.factories import NOW
from tests.tasks_app.admin.desk import WHY

pytestmark = pytest.mark.slow

LIST = "/admin/tasks_app/configchange/"


def url(name: str) -> str:
    return f"{LIST}set/{name}/"


def setting(response: object, name: str) -> object:
    return next(row for row in response.context["settings"] if row.name == name)


def test_every_tunable_is_shown_with_its_meaning(moderator: Client) -> None:
    response = moderator.get(LIST)

    shown = response.context["settings"]
    assert [row.name for row in shown] == list(config.fields())
    page = response.content.decode()
    assert all(row.name in page and str(row.meaning) and str(row.section) for row in shown)


def test_source_tells_default_environment_and_stored_apart(moderator: Client, root: User) -> None:
    config.change("max_active_trees", 7, actor=root, reason="few people", now=NOW)
    with override_settings(TREE_CONFIG={"GOAL_TREE_SIZE": "5", "MAX_ACTIVE_TREES": "3"}):
        response = moderator.get(LIST)

    def seen(name: str) -> tuple:
        row = setting(response, name)
        return row.default, row.value, row.source

    assert seen("num_reviews_reply") == ("3", "3", "default")
    assert seen("goal_tree_size") == ("12", "5", "environment")
    assert seen("max_active_trees") == ("10", "7", "stored")


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("goal_tree_size", "9", 9),
        ("acceptance_threshold_reply", "0.75", 0.75),
        ("rank_prompter_replies", "true", True),
        ("init_prompt_disabled_langs", "de, fr", ("de", "fr")),
        ("init_prompt_disabled_langs", "", ()),
    ],
)
def test_admin_changes_a_tunable_with_a_reason(
    administrator: Client, root: User, name: str, typed: str, value: object
) -> None:
    administrator.post(url(name), {"value": typed, **WHY})

    assert getattr(TreeConfig.current(), name) == value
    stored = ConfigChange.objects.get()
    assert (stored.name, stored.actor, stored.reason) == (name, root, WHY["reason"])
    assert WHY["reason"] in administrator.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("goal_tree_size", "many"),
        ("goal_tree_size", "-1"),
        ("goal_tree_size", "1.5"),
        ("goal_tree_size", "9" * 30),
        ("goal_tree_size", ""),
        ("num_reviews_reply", "0"),
        ("p_activate_backlog_tree", "1.5"),
        ("weight_reply", "nan"),
        ("weight_reply", "inf"),
        ("auto_mod_enabled", "maybe"),
    ],
)
def test_unfit_values_are_refused_with_what_was_expected(
    administrator: Client, name: str, typed: str
) -> None:
    response = administrator.post(url(name), {"value": typed, **WHY})

    assert name in response.context["form"].errors["value"][0]
    assert not ConfigChange.objects.exists()


def test_change_without_a_reason_is_refused(administrator: Client) -> None:
    response = administrator.post(url("goal_tree_size"), {"value": "9", "reason": " "})

    assert response.context["form"].errors["reason"]
    assert TreeConfig.current().goal_tree_size == 12


def test_going_back_to_the_default_stays_in_the_history(administrator: Client) -> None:
    administrator.post(url("goal_tree_size"), {"value": "9", **WHY})
    administrator.post(url("goal_tree_size"), {"value": "9", "reset": "yes", **WHY})

    assert TreeConfig.current().goal_tree_size == 12
    assert list(ConfigChange.objects.order_by("id").values_list("value", "old_value")) == [
        (9, 12),
        (None, 9),
    ]


def test_moderators_read_and_change_nothing(moderator: Client) -> None:
    assert url("goal_tree_size") not in moderator.get(LIST).content.decode()

    response = moderator.post(url("goal_tree_size"), {"value": "9", **WHY})

    assert response.status_code == 403
    assert not ConfigChange.objects.exists()


def test_unknown_tunable_is_not_found(administrator: Client) -> None:
    assert administrator.get(url("no_such_thing")).status_code == 404
