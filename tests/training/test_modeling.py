"""Models as they are loaded: quantised, with adapters that learn, on the base they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from tests.training import small
from training import checkpoints, modeling, reward, sft
from training.config import ConfigError, LoraConfig, ModelConfig
from training.rundir import RunDir, read_lines


def adapter_of(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_a_model_that_is_nowhere_is_named_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"no-such-model is no folder of a model.*fetch_model"):
        modeling.resolve("no-such-model")


def test_the_tiny_model_is_built_on_the_spot_and_has_a_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))

    folder = modeling.resolve("tiny")

    assert modeling.short(folder) == "tiny-random"
    assert modeling.resolve("tiny-random") == folder
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-random"]


def test_quantised_weights_cannot_learn_themselves(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"quantised weights cannot learn; set model.lora"):
        modeling.load_causal(ModelConfig(path=small.model(tmp_path), quantization="4bit"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "quantization"),
    [
        ("sft", "4bit"),
        *(
            pytest.param(stage, quantization, marks=pytest.mark.full)
            for stage in ("sft", "rm")
            for quantization in ("none", "8bit", "4bit")
            if (stage, quantization) != ("sft", "4bit")
        ),
    ],
)
def test_adapters_learn_over_quantised_weights(
    stage: str, quantization: str, tmp_path: Path
) -> None:
    """Also after the first evaluation, which packs 4-bit weights on some processors."""
    config = small.config(
        stage, tmp_path, model={"quantization": quantization}, output={"eval_every": 1}
    )
    run = RunDir(tmp_path / "run")

    final = (sft if stage == "sft" else reward).run(config, run)

    grown = {k: v for k, v in adapter_of(final).items() if "lora_B" in k}  # they begin at 0
    assert grown
    assert all(weight.abs().max() > 0 for weight in grown.values())
    losses = [row["eval_loss"] for row in read_lines(run.metrics) if row["phase"] == "eval"]
    assert losses[-1] < losses[0]
    assert len(set(losses)) == len(losses) == 5


def test_four_bit_layers_do_not_pack_their_weights(tmp_path: Path) -> None:
    config = ModelConfig(path=small.model(tmp_path), quantization="4bit", lora=LoraConfig())

    model, _ = modeling.load_causal(config)

    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 14
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)
    assert type(model.get_output_embeddings()) is torch.nn.Linear


def test_an_evaluation_takes_no_gradient_away(tmp_path: Path) -> None:
    """Packed 4-bit weights let nothing through to the layers below, without an error."""
    config = ModelConfig(path=small.model(tmp_path), quantization="4bit", lora=LoraConfig(r=4))
    base, tokenizer = modeling.load_causal(config)
    model = modeling.trainable(base, tokenizer, config)
    ids = torch.arange(10, 30)[None]

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model.train()(input_ids=ids, labels=ids).loss.backward()
        return [p.grad for n, p in model.named_parameters() if "lora_B" in n]

    modeling.set_seed(0)
    before = gradients()
    with torch.no_grad():
        model.eval()(input_ids=ids)
    modeling.set_seed(0)
    after = gradients()

    assert all(b is not None and b.abs().max() > 0 for b in before)
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_what_is_judged_is_what_learns(quantization: str, tmp_path: Path) -> None:
    """On a CPU 8-bit layers would round activations in eval mode only."""
    config = ModelConfig(
        path=small.model(tmp_path), quantization=quantization, lora=LoraConfig(dropout=0.0)
    )
    base, tokenizer = modeling.load_causal(config)
    model = modeling.trainable(base, tokenizer, config)
    ids = torch.arange(10, 30)[None]

    with torch.no_grad():
        learning, judged = (side(input_ids=ids).logits for side in (model.train(), model.eval()))

    assert torch.equal(learning, judged)


@pytest.mark.slow
def test_an_adapter_is_trained_further_on_its_own_base(tmp_path: Path) -> None:
    base = small.model(tmp_path)
    first = sft.run(small.config("sft", tmp_path), RunDir(tmp_path / "first"))

    config = small.config("rm", tmp_path, model={"path": str(first)}, optim={"lr": 0.0})
    second = reward.run(config, RunDir(tmp_path / "second"))

    assert modeling.base_of(second) == modeling.base_of(first) == Path(base).resolve()
    lineage = checkpoints.read_lineage(second)
    assert [parent["stage"] for parent in lineage["parents"]] == ["sft"]
    assert lineage["base_model"] == checkpoints.read_lineage(first)["base_model"]
    began_with, became = adapter_of(first), adapter_of(second)
    assert set(became) - set(began_with) == {modeling.HEAD_KEY}
    assert all(torch.equal(began_with[key], became[key]) for key in began_with)


@pytest.mark.slow
def test_an_adapter_of_another_shape_is_not_trained_further(tmp_path: Path) -> None:
    first = sft.run(small.config("sft", tmp_path), RunDir(tmp_path / "first"))
    config = small.config("rm", tmp_path, model={"path": str(first), "lora": {"r": 8, "alpha": 8}})

    with pytest.raises(ConfigError, match=r"model.lora.r: 8, but the adapter in .* has 4"):
        reward.run(config, RunDir(tmp_path / "second"))


@pytest.mark.slow
def test_a_base_without_chat_template_learns_the_new_tokens(tmp_path: Path) -> None:
    base = Path(small.model(tmp_path))
    (base / "chat_template.jinja").unlink()

    final = sft.run(small.config("sft", tmp_path), RunDir(tmp_path / "run"))

    model, tokenizer = modeling.load_trained(final)
    assert "<|prompter|>" in tokenizer.get_vocab()
    assert model.get_input_embeddings().weight.shape[0] >= len(tokenizer)
    saved = adapter_of(final)
    assert [len(v) for k, v in saved.items() if "trainable_tokens" in k] == [5]
    assert not [key for key in saved if key.endswith("embed_tokens.weight")]
