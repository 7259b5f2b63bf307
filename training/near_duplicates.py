"""Texts that say nearly the same, found without comparing each with each: MinHash. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5  # characters
BANDS, ROWS = 16, 4  # two texts that share 0.8 of their shingles meet in some band: 0.9998
_HASHES = BANDS * ROWS
_RNG = np.random.default_rng(20231)  # the same everywhere: equal data has equal clusters
_FACTORS = _RNG.integers(1, 2**63, _HASHES, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _RNG.integers(0, 2**63, _HASHES, dtype=np.uint64)
_BASE = np.uint64(1_000_003)

Signature = NDArray[np.uint64]


def clusters(texts: Iterable[tuple[str, str]], *, similarity: float) -> list[list[str]]:
    """Ids of texts that belong together, in the order given; texts that stand alone are left out.

    `texts` are (id, text). Two are alike if about `similarity` of the shingles of both are shared
    (Jaccard's index, estimated); a text belongs to the first that it is like. Source: Broder 1997.
    """
    firsts: list[Signature] = []
    members: list[list[str]] = []
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for key, text in texts:
        signature = _signature(text)
        bands = list(_bands(signature))
        near = {number for band in bands for number in buckets.get(band, ())}
        found = next((n for n in sorted(near) if _alike(signature, firsts[n], similarity)), None)
        if found is not None:
            members[found].append(key)
            continue
        for band in bands:
            buckets[band].append(len(firsts))
        firsts.append(signature)
        members.append([key])
    return [keys for keys in members if len(keys) > 1]


def _signature(text: str) -> Signature:
    """(BANDS · ROWS,): the least hash of all shingles under each of as many hash functions."""
    plain = " ".join(text.casefold().split()).ljust(SHINGLE)
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.uint64), SHINGLE)
    powers = _BASE ** np.arange(SHINGLE, dtype=np.uint64)
    shingles = np.unique((windows * powers).sum(axis=1, dtype=np.uint64))
    mixed = np.multiply.outer(_FACTORS, shingles) + _OFFSETS[:, None]
    least: Signature = (mixed >> np.uint64(20)).min(axis=1)
    return least


def _bands(signature: Signature) -> Iterator[tuple[int, bytes]]:
    for number, rows in enumerate(signature.reshape(BANDS, ROWS)):
        yield number, rows.tobytes()


def _alike(one: Signature, other: Signature, similarity: float) -> bool:
    return float((one == other).mean()) >= similarity
