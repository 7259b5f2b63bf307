"""Several adapters over one base in memory and in one batch: each token goes through its own.

peft's layers take one name a row (`adapter_names`). A batch here is one sequence of the tokens of
all requests, so for these layers tokens are made rows. Merging nothing, the base stays as it is,
quantised or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import peft
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from chat_app.inference.requests import EngineError

WEIGHTS = "adapter_model.safetensors"
NONE = "__base__"  # what peft calls the base without an adapter


class Adapters:
    """The adapters of one model, and through which of them each token of the coming step goes.

    The base alone has the name "".
    """

    def __init__(self, model: Any) -> None:
        """Take a model that has no adapters yet."""
        self._model = model
        self._vocabulary = len(model.get_input_embeddings().weight)
        self._wrapped: Any = None
        self._numbers = {"": 0}
        self._names: list[str] = []
        model.register_forward_pre_hook(self._unmark, with_kwargs=True)

    def add(self, name: str, folder: Path) -> None:
        """Put the adapter in `folder` on the model, in place. Raises EngineError.

        Before the model writes anything: a batch that runs would meet half of it.
        """
        if not (folder / WEIGHTS).is_file():  # peft would read pickled weights, too
            raise EngineError(f"{folder}: expected {WEIGHTS}")
        how = {"is_trainable": False, "autocast_adapter_dtype": False, "local_files_only": True}
        load = self._wrapped.load_adapter if self._wrapped else self._wrap
        try:
            load(folder, adapter_name=name, **how)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise EngineError(f"{folder} does not fit its base: {error}") from error
        if isinstance(self._model.get_output_embeddings(), LoraLayer):  # it gets other rows
            raise EngineError(f"{folder}: with an adapter on its output layer, promote it merged")
        self._numbers[name] = len(self._numbers)

    def hook(self) -> None:
        """Lead each token through its adapter, once all are there."""
        self._model.eval()
        for layer in self._model.modules():
            if isinstance(layer, LoraLayer):
                assert isinstance(layer, nn.Module)
                layer.register_forward_pre_hook(self._name_rows, with_kwargs=True)
                layer.register_forward_hook(_as_sequence)

    def mark(self, prompt: Sequence[int], adapter: str) -> list[int]:
        """Give the prompt a first token of the adapter's own, which the model never sees.

        Pages of the cache are shared between requests that begin with the same tokens: what one
        adapter made of a prompt shall not be read by another.
        """
        first, *rest = prompt
        return [first + self._numbers[adapter] * self._vocabulary, *rest]

    def plan(self, step: Iterable[tuple[str, int]]) -> None:
        """Take the adapter and the number of tokens of each request in the coming step."""
        self._names = [name or NONE for name, tokens in step for _token in range(tokens)]

    def _wrap(self, folder: Path, **how: Any) -> None:
        self._wrapped = peft.PeftModel.from_pretrained(self._model, folder, **how)

    def _unmark(self, _model: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        return args, kwargs | {"input_ids": kwargs["input_ids"] % self._vocabulary}

    def _name_rows(self, _layer: nn.Module, args: tuple[Tensor], kwargs: Any) -> Any:
        """`(1, T, H)` to `(T, H)`: T rows with a name each."""
        return (args[0].squeeze(0),), kwargs | {"adapter_names": self._names}


def _as_sequence(_layer: nn.Module, _args: Any, rows: Tensor) -> Tensor:
    return rows.unsqueeze(0)
