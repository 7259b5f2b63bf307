"""Promotion as an adapter: one base in memory, and whoever shares it written for by one process."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from chat_app import catalogue, engines, replies
from chat_app.enums import MessageState
from chat_app.inference.requests import EngineRequest, Turn
from chat_app.inference.sampling import SamplingParameters
from chat_app.models import ChatMessage, ServedModel, Worker
from oasst.accounts.models import User
from tests.chat_app import given as chats
from tests.chat_app.faults.stack import Stack
from tests.chat_app.inference.asking import GREEDY, ask, text_of
from tests.chat_app.test_worker import until
from tests.training import given, small
from training import registry, sft
from training.models import Checkpoint
from training.rundir import RunDir

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("runs_dir"),
]
QUESTION = "Where sat the cat 3?"
BRIEF = SamplingParameters(**GREEDY, max_new_tokens=8)
CPU = engines.Wish(device="cpu", threads=1, max_batch=3)


def trained(folder: Path, name: str, *, weights: str, lr: float = 1e-2) -> Path:
    config = small.config(
        "sft", folder, name=name, optim={"lr": lr}, output={"weights": weights, "samples": 0}
    )
    return sft.run(config, RunDir(folder / name))


def promote(folder: Path, name: str, *words: str) -> ServedModel:
    call_command("promote_model", str(folder), "--name", name, *words, stdout=io.StringIO())
    return ServedModel.objects.get(name=name)


def as_adapter(folder: Path, name: str) -> ServedModel:
    return promote(folder, name, "--as", "adapter", "--force", "For the test.")


def answers(*models: ServedModel) -> list[str]:
    """What an engine says that holds all of them."""
    wishes = [
        EngineRequest("1", [Turn("user", QUESTION)], BRIEF, adapter=m.name if m.base else "")
        for m in models
    ]
    return [text_of(events) for events in ask(engines.build(models, CPU), *wishes)]


def test_models_of_one_base_are_served_by_one_engine_and_rolled_back(tmp_path: Path) -> None:
    whole = trained(tmp_path, "whole", weights="both")
    alone = trained(tmp_path, "alone", weights="adapter", lr=3e-2)
    base = catalogue.promote(Path(small.model(tmp_path)), name="base", now=timezone.now())
    before = promote(whole, "best", "--force", "For the test.")
    (merged,) = answers(before)

    shared = [as_adapter(whole, "best"), as_adapter(alone, "other")]

    assert not list(alone.glob("*.safetensors"))
    assert [m.base for m in shared] == [small.model(tmp_path)] * 2
    assert shared[0].parameter_count > (before.parameter_count or 0)
    assert engines.sharing(base, CPU) == [base, *shared]
    assert engines.have_changed([base], CPU)
    assert not engines.have_changed([base, *shared], CPU)
    assert registry.checkpoint_of(shared[1]) == Checkpoint.objects.get(served=shared[1])
    together = answers(base, *shared)
    assert together[1] == merged
    assert len(set(together)) == 3

    back = registry.roll_back("best", now=timezone.now())

    assert (back.base, back.source) == ("", before.source)
    assert engines.sharing(base, CPU) == [base, shared[1]]
    assert answers(back) == [merged]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_model": {"path": "nowhere", "sha256": "0"}}, "its base nowhere is not here"),
        ({"base_model": {"path": "tiny-model", "sha256": "0"}}, "with other weights"),
    ],
)
def test_an_adapter_without_its_base_is_not_promoted(
    tmp_path: Path, settings: Any, change: dict[str, Any], words: str
) -> None:
    settings.MODELS_DIR = tmp_path
    small.model(tmp_path)
    made = given.checkpoint("made", evaluation=given.GOOD, **change)
    with pytest.raises(CommandError, match="holds no adapter"):
        as_adapter(made.folder, "made")
    (made.folder / "adapter").mkdir()
    (made.folder / "model.safetensors").rename(made.folder / "adapter" / "a.safetensors")

    with pytest.raises(CommandError, match=words):
        as_adapter(made.folder, "made")

    assert not ServedModel.objects.exists()


# The process of a worker


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stack]:
    catalogue.promote(Path(small.model(tmp_path)), name="base", now=timezone.now())
    options = ["--model", "base", "--device", "cpu", "--max-batch", "2", "--max-context", "256"]
    running = Stack(tmp_path, worker_options=options)
    try:
        running.run("valkey")
        running.run("worker-1")
        yield running
    finally:
        running.stop()


def request(user: User, model: ServedModel) -> ChatMessage:
    prompt = chats.prompt(chats.chat(user, model=model), QUESTION)
    return replies.request(prompt, now=timezone.now(), parameters=BRIEF)[0]


@pytest.mark.full
def test_a_running_worker_of_the_base_writes_for_an_adapter_that_is_promoted(
    site: Stack, tmp_path: Path, alice: User
) -> None:
    folder = trained(tmp_path, "tuned", weights="both")
    site.wait_for_workers(1)

    tuned = as_adapter(folder, "tuned")
    base = ServedModel.objects.get(name="base")
    asked = [request(alice, model) for model in (base, tuned)]
    for reply in asked:
        until(reply, MessageState.DONE, patience_s=60)

    assert [reply.text for reply in asked] == answers(base, tuned)
    assert asked[0].text != asked[1].text
    assert len(set(Worker.objects.values_list("name", flat=True))) == 1  # the same process
    now = Worker.objects.filter(stopped_at=None)
    assert sorted(now.values_list("model__name", flat=True)) == ["base", "tuned"]
