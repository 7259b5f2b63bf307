"""`manage.py list_models`: what is on offer and who runs it."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from chat_app import workers
from chat_app.models import ServedModel


class Command(BaseCommand):
    help = "List the models that people may chat with, and their workers."

    def handle(self, **options: object) -> None:
        rows = [("NAME", "STATE", "PARAMETERS", "CONTEXT", "WORKERS", "WAITING", "WEIGHTS")]
        rows += [_row(model) for model in ServedModel.objects.with_queue()]
        if len(rows) == 1:
            self.stdout.write("No models yet: run manage.py fetch_model smollm2-135m.")
            return
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _row(model: ServedModel) -> tuple[str, ...]:
    state = "default" if model.is_default else "on offer" if model.enabled else "off"
    crew = workers.crew(model.pk, now=timezone.now())
    return (
        model.name,
        state,
        f"{model.parameter_count:,}" if model.parameter_count else "?",
        str(model.max_context),
        str(crew.count),
        str(model.waiting),  # type: ignore[attr-defined]
        f"{model.source} on {model.base}" if model.base else model.source,
    )
