"""`python -m tests.benchmarks NAME`: measures on a scratch database of its own, prints JSON."""

import argparse
import json
import os
import sys
from typing import Any

NAMES = ("tasks",)


def main() -> None:
    options = _options()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    os.environ.setdefault("TEST_DATABASE_NAME", "benchmark")
    import django

    from oasst.lib import services

    django.setup()  # before the services: the settings say where theirs are
    services.ensure()
    from tests.benchmarks import tasks

    figures = tasks.measure(options.messages, options.clients, options.seconds, say=_say)
    sys.stdout.write(json.dumps(figures, indent=None if options.json else 2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one line of JSON and nothing else")
    parser.add_argument("--messages", type=int, default=10_000, help="size of the database")
    parser.add_argument("--clients", type=_numbers, default=(1, 8, 32), help="default: 1,8,32")
    parser.add_argument("--seconds", type=float, default=15, help="per number of clients")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _say(*words: Any) -> None:
    print(*words, file=sys.stderr)  # noqa: T201 - progress for whoever waits


if __name__ == "__main__":
    main()
