"""How much memory this process has needed."""

from __future__ import annotations

import resource
import sys


def peak_mib() -> float:
    """The most so far: on the GPU where there is one, else of the whole process."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated() / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
