"""A setting that does not fit is told when the site starts, not to the first contributor."""

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings


@pytest.mark.parametrize(
    ("name", "value"), [("goal_tre_size", "9"), ("goal_tree_size", "many"), ("p_gold", "-1")]
)
def test_tunable_that_does_not_fit_is_found_at_the_start(
    settings: Settings, name: str, value: str
) -> None:
    settings.TREE_CONFIG = {name: value}

    with pytest.raises(SystemCheckError, match=name):
        call_command("check")


def test_tunables_that_fit_are_fine(settings: Settings) -> None:
    settings.TREE_CONFIG = {"goal_tree_size": "9"}

    call_command("check")
