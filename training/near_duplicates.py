"""Texts of a file that say nearly the same, in clusters. Pure; what alike means: `minhash`."""

from __future__ import annotations

import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tasks_app import minhash
from tasks_app.minhash import BANDS, Signature

Texts = Iterable[tuple[str, str]]


def clusters(read: Callable[[], Texts], *, similarity: float) -> list[list[str]]:
    """Ids of texts that belong together, in the order given; texts that stand alone are left out.

    `read` gives (id, text), twice. Two are alike if about `similarity` of the shingles of both are
    shared (Jaccard's index, estimated); a text belongs to the first that it is like. Memory holds
    64 bytes of each text, and all of those alone that have a band in common. Source: Broder 1997.
    """
    firsts: list[Signature] = []
    members: list[list[str]] = []
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for key, text in _in_company(read):
        signature = minhash.signature(text)
        bands = list(minhash.bands(signature))
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


def _in_company(read: Callable[[], Texts]) -> Iterator[tuple[str, str]]:
    """Texts that have a band in common with another one, and a few by chance."""
    shared = _shared(_checksums(read()))
    return (text for text, is_shared in zip(read(), shared, strict=True) if is_shared)


def _checksums(texts: Texts) -> NDArray[np.uint32]:
    """(texts, BANDS): what stands for each band of each text."""
    found = array("I")
    for _key, text in texts:
        bands = minhash.bands(minhash.signature(text))
        found.extend(zlib.crc32(content) for _number, content in bands)
    return np.array(found, dtype=np.uint32).reshape(-1, BANDS)


def _shared(checksums: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """(texts,): whether any of a text's bands is that of another text."""
    shared = np.zeros(len(checksums), dtype=bool)
    for band in checksums.T:
        order = np.argsort(band, kind="stable")
        same = band[order][1:] == band[order][:-1]
        shared[order[1:][same]] = True
        shared[order[:-1][same]] = True
    return shared


def _alike(one: Signature, other: Signature, similarity: float) -> bool:
    return float((one == other).mean()) >= similarity
