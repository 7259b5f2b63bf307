"""The result of a run: servable, with an adapter that means the same, lineage and card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.training import small
from training import checkpoints, model_card, reward, sft
from training.rundir import RunDir

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("result")


@pytest.fixture(scope="module")
def final(folder: Path) -> Path:
    return sft.run(small.config("sft", folder), RunDir(folder / "run"))


@torch.no_grad()
def test_merged_weights_say_what_adapter_and_base_say(final: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(final)
    ids = tokenizer("The cat sat on the mat.", return_tensors="pt").input_ids

    merged = AutoModelForCausalLM.from_pretrained(final)(ids).logits
    base = AutoModelForCausalLM.from_pretrained(small.model(folder))
    untrained = base(ids).logits
    adapted = PeftModel.from_pretrained(base, final / "adapter")(ids).logits

    assert torch.allclose(merged, adapted, atol=1e-4)
    assert not torch.allclose(merged, untrained, atol=1e-2)
    assert tokenizer.chat_template


def test_lineage_names_base_data_and_weights_by_their_hashes(final: Path, folder: Path) -> None:
    lineage = checkpoints.read_lineage(final)

    data = folder / "conversations.jsonl"
    assert lineage["schema"] == 1
    assert lineage["stage"] == "sft"
    assert lineage["data"][0]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    base = Path(small.model(folder)) / "model.safetensors"
    assert lineage["base_model"]["sha256"] == hashlib.sha256(base.read_bytes()).hexdigest()
    weights = final / "model.safetensors"
    assert lineage["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert lineage["evaluation"]["loss"]["value"] < lineage["evaluation"]["loss_before"]["value"]
    assert lineage["config"]["optim"]["max_steps"] == 4
    assert set(lineage["versions"]) == set(checkpoints.PACKAGES)


def test_the_card_has_the_figures(final: Path) -> None:
    card = (final / "README.md").read_text(encoding="utf-8")

    assert "| loss_change | -" in card
    assert checkpoints.read_lineage(final)["weights_sha256"] in card


def front(folder: Path) -> dict[str, Any]:
    """What the hub reads of a card."""
    return ModelCard.load(folder / "README.md").data.to_dict()


def test_the_hub_reads_nothing_in_the_card_that_it_does_not_know(final: Path) -> None:
    assert front(final) == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["open-assistant", "sft", "trl"],
    }


@pytest.fixture(scope="module")
def from_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a base from the hub and a snapshot, in two languages."""
    folder = tmp_path_factory.mktemp("known")
    (Path(small.model(folder)) / "hub.json").write_text('{"id": "ab/c-d", "revision": "1"}')
    (folder / "snapshot.json").write_text('{"sha256": "5e"}')
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# june\n")
    lines = Path(small.conversations(folder)).read_text().splitlines()
    data = folder / "trees.jsonl"
    data.write_text("".join(json.dumps(json.loads(line) | {"lang": "en"}) + "\n" for line in lines))
    sources = [{"path": str(data)}]
    config = small.config(
        "sft",
        folder,
        data={"sources": sources, "languages": ["pt-BR", "pt", "en"]},
        output={"weights": "adapter"},
    )
    return sft.run(config, RunDir(folder / "run"))


def test_the_card_names_licence_base_and_languages_as_the_hub_does(from_hub: Path) -> None:
    assert front(from_hub) == {
        "license": "cc-by-4.0",
        "library_name": "peft",
        "base_model": "ab/c-d",
        "base_model_relation": "adapter",
        "pipeline_tag": "text-generation",
        "tags": ["open-assistant", "sft", "trl"],
        "language": ["pt", "en"],
    }


def test_the_card_of_merged_weights_tells_of_a_whole_model(from_hub: Path) -> None:
    checkpoints.merge(from_hub)

    card = front(from_hub)
    assert (card["library_name"], card["base_model_relation"]) == ("transformers", "finetune")


def test_a_result_further_on_names_the_base_of_all_and_its_licence(from_hub: Path) -> None:
    """Learned from a plain file, on weights that all learn."""
    folder = from_hub.parent.parent
    model = {"path": str(from_hub), "lora": None}

    further = sft.run(small.config("sft", folder, model=model), RunDir(folder / "further"))

    card = front(further)
    assert (card["base_model"], card["license"]) == ("ab/c-d", "cc-by-4.0")


def test_the_card_tells_names_and_not_where_things_lie(final: Path, folder: Path) -> None:
    card = (final / "README.md").read_text(encoding="utf-8")

    assert str(folder) in (final / "training.json").read_text(encoding="utf-8")  # to go on from
    assert str(folder) not in card
    assert "Supervised fine-tuning of tiny-model (" in card
    assert "- `conversations.jsonl`, SHA-256 `" in card


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("smollm2-135m", "smollm2-135m"),
        ("data/trees.jsonl", "data/trees.jsonl"),
        ("/srv/models/mine", "mine"),
        ("/srv/runs/warm-0a1b/final", "warm-0a1b"),
        ("/root/.cache/huggingface/hub/models--ab--c-d/snapshots/12fd25f77366", "ab/c-d"),
        ("/final", "final"),
        ("rule:letters", "rule:letters"),
    ],
)
def test_a_path_is_called_by_a_name(path: str, name: str) -> None:
    assert model_card.name_of(path) == name


def test_of_weights_adapter_only_the_adapter_is_there(folder: Path) -> None:
    config = small.config("rm", folder, output={"weights": "adapter"})

    found = reward.run(config, RunDir(folder / "adapter-only"))

    assert not list(found.glob("*.safetensors"))
    adapter = found / "adapter" / "adapter_model.safetensors"
    lineage = checkpoints.read_lineage(found)
    assert lineage["weights_sha256"] == hashlib.sha256(adapter.read_bytes()).hexdigest()
    assert (found / "chat_template.jinja").is_file()


def test_several_files_of_weights_have_one_hash(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"2")
    (tmp_path / "a.safetensors").write_bytes(b"1")

    lines = "".join(
        f"{name}.safetensors {hashlib.sha256(content).hexdigest()}\n"
        for name, content in (("a", b"1"), ("b", b"2"))
    )
    wanted = hashlib.sha256(lines.encode()).hexdigest()
    assert checkpoints.weights_sha256(tmp_path) == wanted
