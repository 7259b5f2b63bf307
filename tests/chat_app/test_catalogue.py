"""Which models are on offer, and what a checkpoint must be to get there."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat_app import catalogue, checkpoints, engines
from chat_app.checkpoints import BadCheckpoint
from chat_app.errors import InvalidSettings, ModelNotOnOffer
from chat_app.inference.requests import EngineError
from chat_app.inference.sampling import PRESETS
from chat_app.models import ServedModel
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder as trainers leave it; its weights are two tensors of zeros."""
    folder = tmp_path / "run-7"
    folder.mkdir()
    tensors = {
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [24, 40]},
        "__metadata__": {"format": "pt"},
    }
    header = json.dumps(tensors).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(40)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text('{"max_position_embeddings": 512}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (folder / "training.json").write_text('{"run": "7"}')
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Run 7\n")
    return folder


def test_a_promoted_checkpoint_is_on_offer_with_its_lineage(checkpoint: Path, db: None) -> None:
    model = catalogue.promote(checkpoint, name="run-7", now=NOW)

    assert (model.max_context, model.parameter_count, model.licence) == (512, 10, "mit")
    assert model.lineage["training"] == {"run": "7"}
    assert (model.is_default, [*catalogue.on_offer()]) == (True, [model])


def test_promoting_again_replaces_what_a_name_stands_for(checkpoint: Path, db: None) -> None:
    first = catalogue.promote(checkpoint, name="best", title="Best", now=NOW)
    (checkpoint / "config.json").write_text('{"max_position_embeddings": 1024}')

    again = catalogue.promote(checkpoint, name="best", now=NOW)

    assert (again.pk, again.title, again.max_context) == (first.pk, "Best", 1024)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("pytorch_model.bin", "x", "run code"),
        ("training_args.bin", "x", "run code"),
        ("modeling_own.py", "x", "run code"),
        ("model.safetensors", "not that", "safetensors"),
        ("config.json", "{", "expected JSON"),
        ("config.json", '{"auto_map": {}}', "code of its own"),
        ("tokenizer_config.json", "{}", "chat template"),
    ],
)
def test_a_checkpoint_that_is_unsafe_or_incomplete_is_refused(
    checkpoint: Path, db: None, file: str, content: str, words: str
) -> None:
    (checkpoint / file).write_text(content)

    with pytest.raises(BadCheckpoint, match=words):
        catalogue.promote(checkpoint, name="bad", now=NOW)

    assert not ServedModel.objects.exists()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="expected a folder"):
        checkpoints.inspect(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text("")
    with pytest.raises(BadCheckpoint, match=r"\*.safetensors"):
        checkpoints.inspect(tmp_path)


def test_one_model_is_the_default(db: None) -> None:
    first, second = given.served("first"), given.served("second")

    catalogue.set_default(second)

    first.refresh_from_db()
    assert (first.is_default, catalogue.default()) == (False, second)
    with pytest.raises(InvalidSettings):
        catalogue.take_off_offer(second)
    catalogue.take_off_offer(first)
    with pytest.raises(ModelNotOnOffer):
        catalogue.named("first")


def test_the_model_that_the_site_brings_is_registered_once_it_is_there(
    checkpoint: Path, tmp_path: Path, db: None
) -> None:
    assert catalogue.ensure_default(tmp_path, now=NOW) is None
    checkpoint.rename(tmp_path / catalogue.DEFAULT_MODEL)

    model = catalogue.ensure_default(tmp_path, now=NOW)

    assert model is not None
    assert (model.name, model.source, model.is_default) == (
        catalogue.DEFAULT_MODEL,
        catalogue.DEFAULT_MODEL,
        True,
    )
    assert model.title == "SmolLM2 135M Instruct"
    catalogue.take_off_offer(ServedModel(pk=model.pk, is_default=False))
    again = catalogue.ensure_default(tmp_path, now=NOW)
    assert again is not None
    assert not again.enabled, "what an admin took off stays off"


def test_presets_are_kept_by_name_and_never_hide_the_built_in_ones(alice: User) -> None:
    values = {"temperature": 0.3, "seed": 5}

    catalogue.keep_preset(alice, " Mine ", values, now=NOW)
    catalogue.keep_preset(alice, "Mine", values | {"temperature": 0.4}, now=NOW)

    mine = catalogue.presets_for(alice)
    assert list(mine) == [*PRESETS, "Mine"]
    assert (mine["Mine"].temperature, mine["Mine"].seed) == (0.4, None)
    for name, bad in (("k50", values), ("", values), ("Other", {"temperature": 9})):
        with pytest.raises(InvalidSettings):
            catalogue.keep_preset(alice, name, bad, now=NOW)
    catalogue.drop_preset(alice, "Mine")
    assert list(catalogue.presets_for(alice)) == list(PRESETS)


# Commands


def run(*words: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_commands_promote_and_list_models(checkpoint: Path, db: None) -> None:
    assert "fetch_model" in run("list_models")

    promoted = run("promote_model", str(checkpoint), "--name", "run-7", "--default")

    assert "run-7 is on offer and the default." in promoted
    assert "inference_worker --model run-7" in promoted
    lines = run("list_models").splitlines()
    assert len(lines) == 2
    assert lines[1].split()[:3] == ["run-7", "default", "10"]


def test_a_model_of_another_server_is_promoted_by_its_address(db: None) -> None:
    run("promote_model", "https://gpu.example/v1#big-model", "--name", "big", "--title", "Big")

    model = catalogue.named("big")
    assert (model.title, engines.kind_of(model, engines.Wish())) == ("Big", "openai")
    assert engines.split_address(model.source) == ("https://gpu.example/v1", "big-model")


def test_weights_that_are_gone_say_what_to_run(tmp_path: Path, db: None, settings: Any) -> None:
    settings.MODELS_DIR = tmp_path

    with pytest.raises(EngineError, match="fetch_model tiny"):
        engines.folder_of(given.served("tiny"))


def test_commands_say_what_is_wrong(checkpoint: Path, db: None, settings: Any) -> None:
    settings.MODELS_DIR = checkpoint.parent
    with pytest.raises(CommandError, match="--name"):
        run("promote_model", str(checkpoint), "--name", "no good")
    (checkpoint / "weights.pt").write_text("x")
    with pytest.raises(CommandError, match="run code"):
        run("promote_model", str(checkpoint), "--name", "bad")
    with pytest.raises(CommandError, match="on offer: none"):
        run("inference_worker", "--model", "nobody", "--engine", "fake")
