"""Django app of training."""

from typing import Any

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = "Training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chat_app import events

        events.withdrawn.connect(_supersede, dispatch_uid="training.supersede_withdrawn")


def _supersede(chat: Any, **_signal: Any) -> None:
    from django.utils import timezone

    from training import snapshots  # needs the app registry

    snapshots.supersede_chat(chat, now=timezone.now())
