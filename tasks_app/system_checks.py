"""What `manage.py check`, and every command at its start, looks for in the settings."""

from typing import Any

from django.core.checks import Error, register

from tasks_app.config import InvalidSetting, TreeConfig


@register()
def tunables_fit(**options: Any) -> list[Error]:
    """TREE_CONFIG__… names tunables that there are, with values that fit."""
    try:
        TreeConfig.defaults()
    except InvalidSetting as error:
        hint = "Correct TREE_CONFIG__… in the environment or in .env; .env.example says how."
        return [Error(str(error.message), hint=hint, id="tasks_app.E001")]
    return []
