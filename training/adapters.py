"""Four models on one base: policy, reference, value and reward are adapters over shared weights.

The base is loaded once, quantised or not, and never merged with an adapter.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import peft
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from peft.utils.save_and_load import get_peft_model_state_dict, load_peft_weights
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from training import modeling, packing, scoring
from training.config import ConfigError, LoraConfig, ModelConfig, PpoConfig

Role = Literal["policy", "ref", "value", "reward"]
# What peft calls them: "default" is what it saves at the top of a folder.
NAMES: dict[Role, str] = {"policy": "default", "ref": "ref", "value": "critic", "reward": "reward"}


class SharedBase:
    """A base with its adapters and the heads of value and reward.

    Only the policy's and the value's adapter and the value's head ever learn. A role is chosen by
    `using`; forward and backward of a role both belong inside, since gradient checkpointing runs
    the forward again on the way back.
    """

    def __init__(
        self,
        model: peft.PeftModel,
        heads: dict[str, nn.Linear],
        *,
        compute: torch.dtype | None = None,
    ) -> None:
        self.model, self.compute = model, compute
        self.causal: Any = model.get_base_model()
        self.heads = {role: head.to(self.device) for role, head in heads.items()}
        switched = (BaseTunerLayer, AuxiliaryTrainingWrapper)
        self._layers = [module for module in model.modules() if isinstance(module, switched)]
        self._forbid_dropout()
        self._freeze_all_but_what_learns()
        self._activate("policy")

    @property
    def device(self) -> torch.device:
        return self.causal.device

    @property
    def has_reward(self) -> bool:
        return "reward" in self.heads

    @contextmanager
    def using(self, role: Role) -> Iterator[None]:
        """Let forwards inside run through the adapter of `role`; then through what was before."""
        before = self._role
        self._activate(role)
        try:
            yield
        finally:
            self._activate(before)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Without gradients, in eval mode; a trainer finds the mode again that it had set."""
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.train(was_training)

    @cached_property
    def can_share(self) -> bool:
        """Whether answers read the same behind one prompt as alone (training/packing.py)."""
        text = self.causal.config.get_text_config()
        kinds = set(getattr(text, "layer_types", None) or ())
        if kinds - {"full_attention"} or getattr(text, "sliding_window", None):
            return False
        together, alone = (
            packing.pack([[1, 2, 3]] * 2, [[4, 5], [6, 7]], share=share, device=self.device)
            for share in (True, False)
        )
        with self.still():
            ours, wanted = (self.ends_of(packed, [2, 2]).float() for packed in (together, alone))
        return bool((ours - wanted).norm() < 0.02 * wanted.norm())

    def states(
        self,
        ids: Tensor,
        rows: Tensor,
        columns: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states `(M, H)` at M places of `ids` (B, L), which is padded on the right.

        `mask` and `positions` as in packing.Packed. Behind a causal mask nothing sees padding on
        the right, so none is masked.
        """
        with scoring.autocast(self.causal, self.compute):
            hidden = self.causal.base_model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            ).last_hidden_state
        return hidden[rows, columns]

    def ends_of(self, packed: packing.Packed, lengths: Sequence[int]) -> Tensor:
        """Hidden states `(N, H)` at the last token of each of N answers of `lengths`."""
        last = [start + length - 1 for start, length in zip(packed.starts, lengths, strict=True)]
        rows, columns = (torch.tensor(p, device=self.device) for p in (packed.rows, last))
        return self.states(packed.ids, rows, columns, mask=packed.mask, positions=packed.positions)

    def logits(self, states: Tensor) -> Tensor:
        """`(M, H)` to `(M, V)`, in float32."""
        with scoring.autocast(self.causal, self.compute):
            logits = self.causal.get_output_embeddings()(states)
        return logits.float()

    def head(self, role: Literal["value", "reward"], states: Tensor) -> Tensor:
        """`(M, H)` to `(M,)`, in float32."""
        return self.heads[role](states.float()).squeeze(-1)

    def learning(self, role: Literal["policy", "value"]) -> dict[str, nn.Parameter]:
        """The parameters of a role that learn, by name."""
        name = NAMES[role]
        found = {key: p for key, p in self.model.named_parameters() if name in key.split(".")}
        if role == "value" and "value" in self.heads:
            found |= {f"head.{key}": p for key, p in self.heads["value"].named_parameters()}
        return found

    def _activate(self, role: Role) -> None:
        # Not `set_adapter`: that freezes all others, and gradients of a forward through them are
        # dropped without a word.
        self._role = role
        for layer in self._layers:
            layer._active_adapter = [NAMES[role]]

    def _forbid_dropout(self) -> None:
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # the first ratio of probabilities must be 1

    def _freeze_all_but_what_learns(self) -> None:
        for module in (self.model, *self.heads.values()):
            module.requires_grad_(False)
        for role in ("policy", "value"):
            for parameter in self.learning(role).values():
                parameter.requires_grad_(True)


def load(config: PpoConfig, *, alone: bool = False) -> tuple[SharedBase, PreTrainedTokenizerBase]:
    """The base of the SFT run with all adapters, and the SFT run's tokenizer.

    `alone`: policy and reward only. trl's trainers have no critic and make their own reference.

    The policy starts as the SFT run's adapter, or, where all weights were trained, as a new one
    that changes nothing yet. The reward is among the adapters if it sits on the same base; then
    the value's adapter starts as its copy, else as a copy of the policy's. Raises ConfigError.
    """
    model_config = with_lora(config.model)
    causal, tokenizer = modeling.load_causal(model_config)
    _check_head(causal)
    model = modeling.trainable(causal, tokenizer, model_config)
    heads: dict[str, nn.Linear] = {}
    reward = shared_reward(config)
    if reward is not None:
        heads["reward"] = _add_reward(model, reward)
    if not alone:
        _copy(model, NAMES["policy"], NAMES["ref"])
        heads["value"] = _add_value(model, like="reward" if reward else "policy")
    if config.model.gradient_checkpointing:
        causal.activation_checkpointing_enable({"use_reentrant": False})
    # By itself a CPU takes float32 here: ratios of probabilities show what bfloat16 rounds away.
    told = config.model.compute
    compute = None if told == "auto" else modeling.compute_of(config.model)
    return SharedBase(model, heads, compute=compute), tokenizer


def with_lora(config: ModelConfig) -> ModelConfig:
    """PPO always trains an adapter: as `model.lora` says, else of the shape of the SFT run's."""
    start = modeling.resolve(config.path) / modeling.ADAPTER
    if config.lora or not start.is_dir():
        return replace(config, lora=config.lora or LoraConfig())
    known: Any = peft.PeftConfig.from_pretrained(str(start))
    return replace(config, lora=LoraConfig(r=known.r, alpha=known.lora_alpha))


def shared_reward(config: PpoConfig) -> Path | None:
    """The reward model's adapter if it sits on the base of the policy, else None."""
    if config.reward.startswith("rule:"):
        return None
    reward = modeling.resolve(config.reward)
    if not (reward / modeling.ADAPTER).is_dir():
        return None
    same = modeling.base_of(reward) == modeling.base_of(modeling.resolve(config.model.path))
    return reward / modeling.ADAPTER if same else None


def _copy(model: peft.PeftModel, source: str, target: str) -> None:
    model.add_adapter(target, copy.deepcopy(model.peft_config[source]))
    weights = get_peft_model_state_dict(model, adapter_name=source, save_embedding_layers=False)
    _put(model, {key: value.detach().clone() for key, value in weights.items()}, target)


def _add_reward(model: peft.PeftModel, folder: Path) -> nn.Linear:
    """Put a reward model's adapter on a causal base; its head is kept apart and given back."""
    adapter = peft.PeftConfig.from_pretrained(str(folder))
    adapter.modules_to_save, adapter.task_type = None, "CAUSAL_LM"
    model.add_adapter(NAMES["reward"], adapter)
    weights = load_peft_weights(str(folder), device="cpu")
    heads = [key for key in weights if f".{modeling.HEAD}." in key]
    if len(heads) != 1:
        raise ConfigError(f"reward: {folder} holds no head of a reward model ({modeling.HEAD})")
    weight = weights.pop(heads[0]).float()
    _put(model, weights, NAMES["reward"])
    head = nn.Linear(weight.shape[1], 1, bias=False)
    head.weight.data.copy_(weight)
    return head


def _add_value(model: peft.PeftModel, *, like: Role) -> nn.Linear:
    """Copy an adapter, and begin with a head that says 0.

    Not with the reward's head: that was trained at the last token, and what it says before varies
    more than the returns do (explained variance -2 over the first rollouts with SmolLM2).
    """
    _copy(model, NAMES[like], NAMES["value"])
    head = nn.Linear(model.config.get_text_config().hidden_size, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _put(model: peft.PeftModel, weights: dict[str, Tensor], name: str) -> None:
    found: Any = peft.set_peft_model_state_dict(model, weights, adapter_name=name)
    missing = [key for key in found.missing_keys if name in key.split(".")]
    if found.unexpected_keys or missing:
        wrong = (found.unexpected_keys or missing)[0]
        raise ConfigError(f"the adapter {name} does not fit this base: {wrong}")


def _check_head(causal: Any) -> None:
    """Refuse models that do more to logits than their output layer (soft caps, scales)."""
    ids = torch.arange(1, 5, device=causal.device)[None]
    with torch.no_grad():
        whole = causal(input_ids=ids).logits.float()
        hidden = causal.base_model(input_ids=ids).last_hidden_state
        ours = causal.get_output_embeddings()(hidden).float()
    if not torch.allclose(whole, ours, atol=1e-3, rtol=1e-3):
        kind = type(causal).__name__
        raise ConfigError(f"model.path: {kind} changes its logits after its head; PPO needs plain")
