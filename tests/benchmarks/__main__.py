"""`python -m tests.benchmarks NAME`: measures on a scratch database of its own, prints JSON."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = (
    "tasks", "engine", "chat", "training", "crowd", "agreement", "stats", "adapters", "similar",
    "faults", "pages", "soak", "search", "exports", "migrations",
    "skills", "chat_search",
)  # fmt: skip


def main() -> None:
    options = _options()
    measures = {"tasks": _tasks, "engine": _engine, "chat": _chat, "training": _training}
    measures |= {"crowd": _crowd, "agreement": _agreement, "stats": _stats}
    measures |= {"adapters": _adapters, "similar": _similar}
    measures |= {"faults": _faults, "pages": _pages, "soak": _soak, "search": _search}
    measures |= {"exports": _exports, "migrations": _migrations}
    measures |= {"skills": _skills, "chat_search": _chat_search}
    measure = measures[options.name]
    figures = measure(options)
    sys.stdout.write(json.dumps(figures, indent=None if options.json else 2) + "\n")


def _engine(options: argparse.Namespace) -> dict[str, Any]:
    from tests.benchmarks import engine  # needs neither Django nor a database

    return engine.measure(
        model=options.model,
        quantization=options.quantization,
        device=options.device,
        batches=options.batches,
        rounds=options.rounds,
        tokens=options.tokens,
        say=_say,
    )


def _adapters(options: argparse.Namespace) -> dict[str, Any]:
    from tests.benchmarks import adapters

    return adapters.measure(
        model=options.model,
        quantization=options.quantization,
        rounds=options.rounds,
        tokens=options.tokens,
        say=_say,
    )


def _tasks(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import tasks

    return tasks.measure(options.messages, options.clients, options.seconds, say=_say)


def _stats(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import stats

    return stats.measure(options.messages, options.requests, say=_say)


def _similar(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import similar

    data = Path(os.environ.get("OASST_TEST_DATA", "../shared/data"))
    texts = data / "oasst" / "oasst1_en_train_texts.dev.jsonl.gz"
    return similar.measure(options.messages, texts, options.requests, say=_say)


def _skills(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import skills

    return skills.measure(options.labels, say=_say)


def _search(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import search

    return search.measure(options.messages, options.requests, say=_say)


def _chat_search(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import chat_search

    return chat_search.measure(options.chats, options.messages, options.requests, say=_say)


def _exports(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import exports

    with tempfile.TemporaryDirectory(prefix="oasst-") as folder:
        return exports.measure(options.messages, options.kinds, Path(folder), say=_say)


def _migrations(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import migrations

    return migrations.measure(options.messages, say=_say)


def _chat(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import chat

    load = chat.Load(
        sockets=options.sockets,
        streams=options.streams,
        seconds=options.seconds,
        engine=options.engine,
        tokens_per_s=options.tokens_per_s,
        settle_s=options.settle_s,
    )
    return chat.measure(load, say=_say)


def _training(options: argparse.Namespace) -> dict[str, Any]:
    from tests.benchmarks import training

    load = training.Load(rounds=options.rounds, steps=options.steps)
    if options.model:
        load.model = options.model
    if options.quantization != "none":
        load.quantization = options.quantization
    return training.measure(load, say=_say)


def _crowd(options: argparse.Namespace) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    import django

    django.setup()  # the simulation's modules want it, a database is not asked
    from tests.benchmarks import crowd, crowd_plot

    figures = crowd.measure(options.seeds, say=_say)
    if options.svg:
        options.svg.write_text(crowd_plot.svg(figures), encoding="utf-8")
    return figures


def _agreement(options: argparse.Namespace) -> dict[str, Any]:
    _start_django()
    from tests.benchmarks import agreement

    return agreement.measure(options.labels, say=_say)


def _faults(options: argparse.Namespace) -> dict[str, Any]:
    with _own_services() as folder:
        from tests.benchmarks import faults

        names = tuple(options.scenarios.split(",")) if options.scenarios else faults.SCENARIOS
        return faults.measure(
            names, folder, times=options.times, outage_s=options.outage_s, say=_say
        )


def _pages(options: argparse.Namespace) -> dict[str, Any]:
    with _own_services() as folder:
        from tests.benchmarks import pages

        return pages.measure(_load(options, options.burst_s), folder, say=_say)


def _soak(options: argparse.Namespace) -> dict[str, Any]:
    with _own_services() as folder:
        from tests.benchmarks import soak

        return soak.measure(_load(options, burst_s=0), folder, say=_say)


def _load(options: argparse.Namespace, burst_s: float) -> Any:
    from tests.benchmarks import pages

    return pages.Load(
        messages=options.messages,
        people=options.people,
        rate=options.rate,
        minutes=options.minutes,
        burst_s=burst_s,
    )


@contextmanager
def _own_services() -> Iterator[Path]:
    """Be set up with a PostgreSQL and a Valkey of one's own, which may be stopped at will."""
    with tempfile.TemporaryDirectory(prefix="oasst-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        os.environ["OASST_VAR_DIR"] = name
        for given in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(given, None)
        _start_django()
        from oasst.lib import services

        try:
            yield folder
        finally:
            services.stop()


def _start_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    os.environ.setdefault("TEST_DATABASE_NAME", "benchmark")
    # Clients are forked, which a pool of connections does not survive; web servers have theirs.
    os.environ.pop("DATABASE_POOL_SIZE", None)
    import django

    from oasst.lib import services
    from tests import templates

    django.setup()  # before the services: the settings say where theirs are
    services.ensure()
    templates.begin_as_copies()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one line of JSON and nothing else")
    parser.add_argument(
        "--seconds", type=float, default=15, help="per number of clients (tasks), of a reply (chat)"
    )
    tasks = parser.add_argument_group(
        "tasks, stats, similar, pages, soak, search, chat_search, exports, migrations"
    )
    tasks.add_argument("--messages", type=int, default=10_000, help="size of the database")
    tasks.add_argument("--clients", type=_numbers, default=(1, 8, 32), help="default: 1,8,32")
    tasks.add_argument(
        "--requests", type=int, default=200, help="of each sort (stats, similar, search)"
    )
    tasks.add_argument("--chats", type=int, default=2_000, help="of one person (chat_search)")
    exports = parser.add_argument_group("exports")
    exports.add_argument(
        "--kinds", type=_words, default=(), help="trees,parquet,…; default: all, see exports.py"
    )
    engine = parser.add_argument_group("engine, adapters")
    engine.add_argument(
        "--model", default="", help="folder; default: smollm2-135m in MODELS_DIR (training too)"
    )
    engine.add_argument("--quantization", choices=("none", "8bit", "4bit"), default="none")
    engine.add_argument("--device", default="auto", help="cpu or cuda")
    engine.add_argument("--batches", type=_numbers, default=(1, 4, 8, 16), help="default: 1,4,8,16")
    engine.add_argument("--rounds", type=int, default=7, help="training too")
    engine.add_argument("--tokens", type=int, default=128, help="of each answer")
    chat = parser.add_argument_group("chat")
    chat.add_argument("--sockets", type=int, default=500, help="that do nothing")
    chat.add_argument("--streams", type=int, default=50)
    chat.add_argument("--engine", choices=("fake", "transformers"), default="fake")
    chat.add_argument("--tokens-per-s", type=float, default=20, help="of each fake stream")
    chat.add_argument("--settle-s", type=float, default=3, help="before the memory is looked at")
    training = parser.add_argument_group("training")
    training.add_argument("--steps", type=int, default=10, help="of each trainer, each round")
    pages = parser.add_argument_group("pages, soak")
    pages.add_argument("--rate", type=float, default=50, help="requests a second")
    pages.add_argument("--minutes", type=float, default=5, help="at that rate")
    pages.add_argument("--people", type=int, default=200)
    pages.add_argument("--burst-s", type=float, default=60, help="at three times that rate (pages)")
    faults = parser.add_argument_group("faults")
    faults.add_argument("--scenarios", default="", help="kill,redis,database,shutdown; default all")
    faults.add_argument("--times", type=int, default=20, help="that each thing is broken")
    faults.add_argument("--outage-s", type=float, default=60, help="of what is stopped for long")
    crowd = parser.add_argument_group("crowd")
    crowd.add_argument("--seeds", type=int, default=20, help="crowds of each condition")
    crowd.add_argument("--svg", type=Path, metavar="FILE", help="draw reviews against accuracy")
    agreement = parser.add_argument_group("agreement, skills")
    agreement.add_argument("--labels", type=int, default=100_000, help="label sets, about")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _say(*words: Any) -> None:
    print(*words, file=sys.stderr)  # noqa: T201 - progress for whoever waits


if __name__ == "__main__":
    main()
