"""`manage.py promote_model` with what was trained: through the registry and its gate."""

import io
import json
import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from safetensors.torch import load_file, save_file

from chat_app.inference import loading
from chat_app.models import ServedModel
from tests.training import given, small
from tests.training.given import GOOD
from training import registry, sft
from training.errors import NotServable
from training.models import Checkpoint, Promotion
from training.rundir import RunDir

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def _promote(folder: Path, *words: str, name: str = "best") -> str:
    out = io.StringIO()
    call_command("promote_model", str(folder), "--name", name, *words, stdout=out)
    return out.getvalue()


def _from_elsewhere(folder: Path, **how: object) -> Path:
    """A model as another machine made it: unknown to the registry."""
    made = given.checkpoint("elsewhere", **how)
    shutil.move(made.folder, folder)
    made.delete()
    return folder


def test_a_model_from_another_machine_is_entered_and_served(tmp_path: Path) -> None:
    folder = _from_elsewhere(tmp_path / "brought", evaluation=GOOD)

    told = _promote(folder, "--title", "Best", "--default")

    served = ServedModel.objects.get()
    assert "best is on offer and the default." in told
    assert (served.title, served.source) == ("Best", str(folder))
    assert registry.checkpoint_of(served) == Promotion.objects.get().checkpoint


def test_the_gate_closes_the_command_too_until_a_reason_is_given(tmp_path: Path) -> None:
    folder = _from_elsewhere(tmp_path / "brought")

    with pytest.raises(CommandError, match=r"never evaluated(.|\n)*--force REASON"):
        _promote(folder)
    assert not ServedModel.objects.exists()
    _promote(folder, "--force", "A first try.")

    assert Promotion.objects.get().force_reason == "A first try."


def test_a_name_that_is_replaced_leads_to_the_newer_checkpoint() -> None:
    first, second = (given.checkpoint(name, evaluation=GOOD) for name in "ab")
    _promote(first.folder)
    _promote(second.folder)

    served = ServedModel.objects.get()
    assert registry.checkpoint_of(served) == second
    assert list(Checkpoint.objects.filter(served=served)) == [second]
    assert Promotion.objects.first().replaced == first


def test_a_model_that_was_not_trained_here_has_no_checkpoint() -> None:
    model = given.checkpoint(evaluation=GOOD)
    _promote(model.folder)
    plain = Path(settings.RUNS_DIR) / "plain"
    shutil.copytree(model.folder, plain)
    (plain / "training.json").unlink()

    _promote(plain)

    assert registry.checkpoint_of(ServedModel.objects.get()) is None
    assert not Checkpoint.objects.filter(served__isnull=False).exists()


@pytest.mark.parametrize("record", ["{half", '{"schema": 1}', '{"schema": 1, "stage": "sft"}'])
def test_a_record_that_says_too_little_is_refused(tmp_path: Path, record: str) -> None:
    folder = _from_elsewhere(tmp_path / "brought", evaluation=GOOD)
    (folder / "training.json").write_text(record)

    with pytest.raises(CommandError, match=r"training\.json"):
        _promote(folder)


def test_other_weights_in_a_known_folder_are_refused() -> None:
    model = given.checkpoint(evaluation=GOOD)
    record = model.folder / "training.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"weights_sha256": "0" * 64}))

    with pytest.raises(CommandError, match="a folder of its own"):
        _promote(model.folder)


@pytest.mark.slow
def test_an_adapter_alone_is_served_as_what_its_run_would_have_merged(tmp_path: Path) -> None:
    whole, alone = (_trained(tmp_path, weights) for weights in ("both", "adapter"))
    lineage = (alone / "training.json").read_bytes()
    assert not list(alone.glob("*.safetensors"))

    told = _promote(alone, "--force", "For the test.")

    assert "merging it with its base" in told
    assert ServedModel.objects.get().source == str(alone)
    assert (alone / "training.json").read_bytes() == lineage
    assert Checkpoint.objects.get().weights_sha256 == json.loads(lineage)["weights_sha256"]
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, alone))
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)
    assert _answer(alone) == _answer(whole) != _answer(tmp_path / "tiny-model")


@pytest.mark.slow
def test_an_adapter_on_another_base_is_not_merged(tmp_path: Path) -> None:
    folder = _trained(tmp_path, "adapter")
    base = next((tmp_path / "tiny-model").glob("*.safetensors"))
    weights = load_file(base)
    save_file({name: 2 * tensor for name, tensor in weights.items()}, base, {"format": "pt"})

    with pytest.raises(CommandError, match="with other weights"):
        _promote(folder, "--force", "For the test.")

    assert not ServedModel.objects.exists()
    assert not list(folder.glob("*.safetensors"))


def test_the_page_says_how_an_adapter_alone_is_served() -> None:
    model = given.checkpoint(evaluation=GOOD)
    (model.folder / "adapter").mkdir()
    weights = model.folder / "model.safetensors"
    weights.rename(model.folder / "adapter" / weights.name)

    with pytest.raises(NotServable, match=r"adapter alone.*manage\.py promote_model"):
        registry.promote(model, name="best", now=timezone.now())


def _trained(folder: Path, weights: str) -> Path:
    """A few steps that always come out the same."""
    config = small.config("sft", folder, name="adapted", output={"weights": weights})
    return sft.run(config, RunDir(folder / weights))


def _answer(folder: Path) -> list[int]:
    loaded = loading.load(folder, device="cpu")
    ids = loaded.tokenizer("Where sat the cat", return_tensors="pt")
    words: list[int] = loaded.model.generate(**ids, max_new_tokens=8, do_sample=False)[0].tolist()
    return words
