"""`manage.py inference_worker`: loads one model and writes its replies until it is stopped."""

import argparse
import dataclasses
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chat_app import catalogue, desk, engines, worker
from chat_app.enums import Quantization
from chat_app.errors import ModelNotOnOffer
from chat_app.inference.requests import EngineError
from chat_app.models import ServedModel
from oasst.lib import env


class Command(BaseCommand):
    help = "Load a model and write its replies until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        wish = engines.Wish()
        parser.add_argument("--model", default="", help="name; the default model if not given")
        parser.add_argument(
            "--engine", dest="kind", choices=engines.KINDS, default="", help="as the model needs it"
        )
        parser.add_argument("--quantization", choices=Quantization.values, default="none")
        parser.add_argument("--max-batch", type=_count, default=wish.max_batch, metavar="N")
        parser.add_argument("--max-context", type=_count, metavar="TOKENS")
        parser.add_argument("--device", default=wish.device, help="auto, cpu, cuda, cuda:1, …")
        parser.add_argument("--dtype", default=wish.dtype, help="auto, float32, bfloat16, …")
        parser.add_argument("--threads", type=_count, metavar="N")
        parser.add_argument(
            "--base-url",
            default="",
            help="server of --engine openai, https://host/v1#model; its key: INFERENCE_API_KEY",
        )
        parser.add_argument(
            "--tokens-per-s", type=float, default=wish.tokens_per_s, help="rate of --engine fake"
        )
        parser.add_argument(
            "--drain-s",
            type=float,
            default=desk.DRAIN_S,
            help="how long replies may still take after SIGTERM before they are handed back",
        )

    def handle(self, *, model: str, drain_s: float, kind: str, **options: Any) -> None:
        served = _served(model)
        names = {field.name for field in dataclasses.fields(engines.Wish)}
        wish = engines.Wish(
            kind=kind,
            api_key=env.secret("INFERENCE_API_KEY"),
            **{name: value for name, value in options.items() if name in names},
        )
        try:
            worker.run(served, wish, drain_s=drain_s)
        except EngineError as error:
            raise CommandError(str(error)) from error


def _served(name: str) -> ServedModel:
    catalogue.ensure_default(settings.MODELS_DIR, now=timezone.now())
    try:
        served = catalogue.named(name) if name else catalogue.default()
    except ModelNotOnOffer:
        served = None
    if served is None:
        known = ", ".join(catalogue.on_offer().values_list("name", flat=True)) or "none"
        raise CommandError(
            f"--model {name or '(default)'}: is not on offer; on offer: {known}."
            " Run manage.py fetch_model or promote_model first."
        )
    return served


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number
