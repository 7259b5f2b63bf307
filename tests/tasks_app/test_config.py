"""Tunables: defaults, environment, what admins stored, and its history."""

import dataclasses
import random
from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import config
from tasks_app.config import ConfigChange, InvalidSetting, TreeConfig, overridden, parse
from tests import factories
from tests.factories import NOW, grow

# Reference 2.2 with its global limits, and the weights of 3.3; units stand in our names.
ORIGINAL = {
    "max_active_trees": 10,
    "max_initial_prompt_review": 100,
    "max_tree_depth": 3,
    "max_children_count": 3,
    "num_prompter_replies": 1,
    "goal_tree_size": 12,
    "random_goal_tree_size": False,
    "min_goal_tree_size": 5,
    "num_reviews_initial_prompt": 3,
    "num_reviews_reply": 3,
    "auto_mod_enabled": True,
    "auto_mod_max_skip_reply": 25,
    "auto_mod_red_flags": 4,
    "p_full_labeling_review_prompt": 1.0,
    "p_full_labeling_review_reply_assistant": 1.0,
    # The original drew with 0.1 in place of its own setting, a defect that we do not keep.
    "p_full_labeling_review_reply_prompter": 0.25,
    "acceptance_threshold_initial_prompt": 0.6,
    "acceptance_threshold_reply": 0.6,
    "num_required_rankings": 3,
    "p_activate_backlog_tree": 0.1,
    "min_active_rankings_per_lang": 0,
    "rank_prompter_replies": False,
    "lonely_children_count": 2,
    "p_lonely_child_extension": 0.75,
    "recent_tasks_span_s": 300,
    "max_pending_tasks_per_user": 8,
    "max_prompt_lottery_waiting": 250,
    "init_prompt_disabled_langs": (),
    "message_size_limit": 2000,
    "duplicate_message_window_minutes": 120,
    "task_validity_minutes": 2880,
    "weight_ranking": 10.0,
    "weight_label_reply": 5.0,
    "weight_label_prompt": 5.0,
    "weight_reply": 2.0,
    "weight_initial_prompt": 0.01,
}
# What the original did not have. None of them changes a number above.
OURS = {
    "hold_payment_numbers": True,
    "hold_contact_data": False,
    "hold_words": (),
    "hold_spam": False,
    # Reservations in place of guesses (design 4).
    "reservation_write_minutes": 30,
    "reservation_review_minutes": 10,
    # Ranking of prompts, a kind of task of its own (design 9).
    "rank_initial_prompts": True,
    # Crowd quality (design 4 and the issue about the crowd): 5 % gold items, more for newcomers;
    # weights on, while asking for fewer or more reviews waits for an admin to want it.
    "p_gold": 0.05,
    "p_gold_newcomer": 0.15,
    "gold_newcomer_reviews": 20,
    "gold_items_per_lang": 40,
    "reliability_weights": True,
    "adaptive_overlap": False,
    "adaptive_threshold": 0.95,
    "adaptive_least_reviews": 2,
    "adaptive_most_reviews": 5,
}


def test_defaults_are_those_of_the_original_and_ours_are_named() -> None:
    assert dataclasses.asdict(TreeConfig()) == ORIGINAL | OURS
    assert not set(ORIGINAL) & set(OURS)


def test_environment_overrides_defaults(settings: Any) -> None:
    settings.TREE_CONFIG = {
        "GOAL_TREE_SIZE": "15",
        "AUTO_MOD_ENABLED": "no",
        "P_ACTIVATE_BACKLOG_TREE": "0.5",
        "INIT_PROMPT_DISABLED_LANGS": "de, fr,",
    }

    found = TreeConfig.defaults()

    assert (found.goal_tree_size, found.auto_mod_enabled) == (15, False)
    assert (found.p_activate_backlog_tree, found.init_prompt_disabled_langs) == (0.5, ("de", "fr"))
    assert found.max_active_trees == 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no_such_setting", "1"),
        ("goal_tree_size", "twelve"),
        ("goal_tree_size", "1.5"),
        ("goal_tree_size", 1.5),
        ("goal_tree_size", True),
        ("goal_tree_size", None),
        ("goal_tree_size", -1),
        ("goal_tree_size", 2**40),
        ("auto_mod_enabled", "maybe"),
        ("p_activate_backlog_tree", 1.01),
        ("p_activate_backlog_tree", "nan"),
        ("acceptance_threshold_reply", "inf"),
        ("num_reviews_reply", 0),
        ("init_prompt_disabled_langs", 5),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidSetting, match=name):
        parse(name, value)


@pytest.mark.django_db
def test_stored_change_holds_above_the_environment(mona: User, settings: Any) -> None:
    settings.TREE_CONFIG = {"GOAL_TREE_SIZE": "15"}
    assert TreeConfig.current().goal_tree_size == 15

    config.change("goal_tree_size", "20", actor=mona, reason="more depth", now=NOW)

    assert TreeConfig.current().goal_tree_size == 20
    assert TreeConfig.defaults().goal_tree_size == 15


@pytest.mark.django_db
def test_change_keeps_the_history(mona: User) -> None:
    config.change("goal_tree_size", 20, actor=mona, reason="more", now=NOW)
    config.change("goal_tree_size", 8, actor=mona, reason="less", now=NOW)
    config.change("goal_tree_size", None, actor=mona, reason="default", now=NOW)

    history = ConfigChange.objects.order_by("id").values_list("old_value", "value", "reason")
    assert list(history) == [(12, 20, "more"), (20, 8, "less"), (8, None, "default")]
    assert TreeConfig.current().goal_tree_size == 12


@pytest.mark.django_db
def test_change_of_a_list_is_read_back(mona: User) -> None:
    config.change("init_prompt_disabled_langs", "de,fr", actor=mona, reason="full", now=NOW)

    assert TreeConfig.current().init_prompt_disabled_langs == ("de", "fr")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("goal_tree_size", "many", "why"), ("nonsense", None, "why"), ("goal_tree_size", 5, " ")],
)
def test_change_that_is_wrong_stores_nothing(
    mona: User, name: str, value: Any, reason: str
) -> None:
    with pytest.raises(InvalidSetting):
        config.change(name, value, actor=mona, reason=reason, now=NOW)

    assert ConfigChange.objects.count() == 0


@pytest.mark.django_db
def test_setting_that_no_longer_exists_is_ignored() -> None:
    ConfigChange.objects.create(name="retired", value=1, reason="old", created_at=NOW)

    assert TreeConfig.current() == TreeConfig.defaults()


@pytest.mark.django_db
def test_current_takes_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        TreeConfig.current()


@pytest.mark.django_db
def test_running_trees_keep_the_limits_they_started_with(mona: User, alice: User) -> None:
    old = grow("P").tree

    config.change("goal_tree_size", 30, actor=mona, reason="more", now=NOW)
    new = factories.write_prompt(alice).tree

    old.refresh_from_db()
    assert (old.goal_tree_size, new.goal_tree_size) == (12, 30)


def test_goal_is_drawn_between_its_bounds() -> None:
    drawing = TreeConfig(random_goal_tree_size=True, min_goal_tree_size=5, goal_tree_size=7)
    rng = random.Random(1)

    assert {drawing.goal_for_new_tree(rng) for _ in range(100)} == {5, 6, 7}
    assert TreeConfig(goal_tree_size=9).goal_for_new_tree(rng) == 9


def test_goal_below_its_lower_bound_is_taken_as_it_is() -> None:
    drawing = TreeConfig(random_goal_tree_size=True, min_goal_tree_size=9, goal_tree_size=3)

    assert drawing.goal_for_new_tree(random.Random(1)) == 3


@pytest.mark.django_db
def test_overridden_holds_inside_and_ends_outside() -> None:
    with overridden(goal_tree_size=3):
        with overridden(max_tree_depth=9):
            inner = TreeConfig.current()
        assert TreeConfig.current().max_tree_depth == 3
    assert (inner.goal_tree_size, inner.max_tree_depth) == (3, 9)
    assert TreeConfig.current().goal_tree_size == 12
