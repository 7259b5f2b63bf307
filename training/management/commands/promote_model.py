"""`manage.py promote_model`, with training's gate before what was trained."""

import argparse
from typing import Any

from django.core.management.base import CommandError

from chat_app import engines
from chat_app.management.commands import promote_model
from chat_app.models import ServedModel
from training import checkpoints, registry
from training.config import ConfigError
from training.errors import GateClosed, NotServable


class Command(promote_model.Command):
    help = (
        f"{promote_model.Command.help} A folder with training's training.json is entered in the "
        "registry and passes its gate."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--force",
            default="",
            metavar="REASON",
            help="put a trained model live against the gate's objections; the reason is kept",
        )

        parser.add_argument(
            "--as",
            dest="how",
            choices=("merged", "adapter"),
            default="merged",
            help="adapter: over its base, whose weights all of a worker's models share in memory",
        )

    def promote(
        self, checkpoint: str, fields: dict[str, Any], options: dict[str, Any]
    ) -> ServedModel:
        folder = promote_model.folder_of(checkpoint)
        is_remote = bool(engines.split_address(checkpoint)[0])
        as_adapter = options["how"] == "adapter"
        if is_remote or not registry.is_trained_by_us(folder):
            if as_adapter:
                raise CommandError("--as adapter: only for what a run of ours trained with LoRA")
            served = super().promote(checkpoint, fields, options)
            registry.note_other(served)
            return served
        reason = options["force"]
        try:
            entered = registry.register_folder(folder)
            if checkpoints.is_adapter_alone(folder) and not as_adapter:
                self.stdout.write("It holds an adapter alone: merging it with its base …")
                checkpoints.merge(folder)
            return registry.promote(
                entered, force=bool(reason), reason=reason, as_adapter=as_adapter, **fields
            )
        except GateClosed as closed:
            told = "\n".join(f"- {objection}" for objection in closed.objections)
            raise CommandError(
                f"The gate objects:\n{told}\n--force REASON puts it live all the same."
            ) from closed
        except NotServable as error:
            raise CommandError(error.message) from error
        except ConfigError as error:
            raise CommandError(str(error)) from error
