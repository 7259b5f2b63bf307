"""The processes that train together: each one's share of a list, sums and means over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

Slice = TypeVar("Slice", bound=Sequence[Any] | Tensor)


class Team:
    """One process alone, or as many as `accelerate launch` started."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.size: int = accelerator.num_processes
        self.rank: int = accelerator.process_index
        self.is_first: bool = accelerator.is_main_process

    def share(self, whole: Slice) -> Slice:
        """Every nth of it, from this process's number on."""
        return whole[self.rank :: self.size]  # type: ignore[return-value]

    def even_share(self, whole: Sequence[Any]) -> list[Any]:
        """Like `share`, but all get as many: a few may be given out twice, at the end."""
        more = -len(whole) % self.size
        return list(self.share([*whole, *whole[:more]]))

    def everyone(self, mine: list[Any]) -> list[Any]:
        """What all processes hold, process by process."""
        return list(gather_object(mine)) if self.size > 1 else mine

    def in_order(self, mine: list[Any]) -> list[Any]:
        """The shares of all put together as `share` took them apart."""
        shares = self.everyone([mine]) if self.size > 1 else [mine]
        whole: list[Any] = [None] * sum(map(len, shares))
        for rank, part in enumerate(shares):
            whole[rank :: self.size] = part
        return whole

    def total(self, mine: float) -> float:
        return sum(self.everyone([mine]))

    def total_each(self, mine: Tensor) -> Tensor:
        if self.size == 1:
            return mine
        return cast(Tensor, self.accelerator.reduce(mine, reduction="sum"))

    def means(self, mine: Mapping[str, float]) -> dict[str, float]:
        """Of figures that each process has of its own, equally large, share."""
        if self.size == 1:
            return dict(mine)
        added = self.total_each(
            torch.tensor(list(mine.values()), device=self.accelerator.device, dtype=torch.float64)
        )
        return dict(zip(mine, (added / self.size).tolist(), strict=True))

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()
