"""Texts of a file that say nearly the same, in clusters. Pure; what alike means: `minhash`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tasks_app import minhash
from tasks_app.minhash import Signature


def clusters(texts: Iterable[tuple[str, str]], *, similarity: float) -> list[list[str]]:
    """Ids of texts that belong together, in the order given; texts that stand alone are left out.

    `texts` are (id, text). Two are alike if about `similarity` of the shingles of both are shared
    (Jaccard's index, estimated); a text belongs to the first that it is like. Source: Broder 1997.
    """
    firsts: list[Signature] = []
    members: list[list[str]] = []
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for key, text in texts:
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


def _alike(one: Signature, other: Signature, similarity: float) -> bool:
    return float((one == other).mean()) >= similarity
