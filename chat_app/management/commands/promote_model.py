"""`manage.py promote_model CHECKPOINT --name NAME`: put a checkpoint folder on offer."""

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug
from django.utils import timezone

from chat_app import catalogue, engines
from chat_app.checkpoints import BadCheckpoint
from chat_app.models import ServedModel


class Command(BaseCommand):
    help = (
        "Put a checkpoint folder (safetensors, tokenizer with chat template, config.json) on "
        "offer in the chat. The same name again replaces what it stands for."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "checkpoint",
            help="a folder, also one below MODELS_DIR, or an OpenAI-compatible server's address"
            " and what it calls the model: https://host/v1#name",
        )
        parser.add_argument("--name", required=True, help="letters, digits, - and _")
        parser.add_argument("--title", default="", help="what people read; the name if not given")
        parser.add_argument("--description", default="")
        parser.add_argument("--licence", default="", help="else that of the model card")
        parser.add_argument("--default", action="store_true", help="new chats begin with it")

    def handle(
        self,
        *,
        checkpoint: str,
        name: str,
        default: bool,
        **options: Any,
    ) -> None:
        texts = {key: options[key] for key in ("title", "description", "licence")}
        fields = {"name": name, "make_default": default, "now": timezone.now(), **texts}
        try:
            validate_slug(name)
            model = self.promote(checkpoint, fields, options)
        except ValidationError:
            raise CommandError("--name: expected letters, digits, - and _") from None
        except BadCheckpoint as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{model.name} is on offer{' and the default' if model.is_default else ''}."
            f" Run: manage.py inference_worker --model {model.name}"
        )

    def promote(
        self, checkpoint: str, fields: dict[str, Any], options: dict[str, Any]
    ) -> ServedModel:
        """Training puts its gate before this, for what was trained."""
        if engines.split_address(checkpoint)[0]:
            return catalogue.promote_remote(checkpoint, **fields)
        folder = folder_of(checkpoint)
        source = checkpoint if folder == settings.MODELS_DIR / checkpoint else ""
        return catalogue.promote(folder, source=source, **fields)


def folder_of(checkpoint: str) -> Path:
    """The folder itself, or the one of that name below MODELS_DIR."""
    below = settings.MODELS_DIR / checkpoint
    return below if below.is_dir() else Path(checkpoint)
