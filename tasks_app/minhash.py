"""How much two texts share, estimated from a few numbers of each: MinHash, with bands to find what
is alike without comparing each with each. Pure.

The numbers are stored: what they are made of must not change.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5  # characters
BANDS, ROWS = 16, 4  # two texts that share 0.8 of their shingles meet in some band: 0.9998
HASHES = BANDS * ROWS
_BASE = np.uint64(1_000_003)

Signature = NDArray[np.uint64]


def _numbers(name: str) -> Signature:
    """(HASHES,): numbers as if drawn at random, the same everywhere and for ever."""
    drawn = hashlib.shake_256(f"minhash {name}".encode()).digest(8 * HASHES)
    return np.frombuffer(drawn, dtype="<u8").astype(np.uint64)


_FACTORS, _OFFSETS = _numbers("factors") | np.uint64(1), _numbers("offsets")


def plain(text: str) -> str:
    """A text as it is compared: case and white space do not matter."""
    return " ".join(text.casefold().split())


def signature(text: str) -> Signature:
    """(HASHES,): the least hash of all shingles under each of as many hash functions.

    Source: Broder 1997.
    """
    encoded = plain(text).ljust(SHINGLE).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, dtype=np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, SHINGLE)
    powers = _BASE ** np.arange(SHINGLE, dtype=np.uint64)
    shingles = np.unique((windows * powers).sum(axis=1, dtype=np.uint64))
    mixed = np.multiply.outer(_FACTORS, shingles) + _OFFSETS[:, None]
    least: Signature = (mixed >> np.uint64(20)).min(axis=1)
    return least


def bands(found: Signature) -> Iterator[tuple[int, bytes]]:
    """Number and content of each band: texts that have one in common may be alike."""
    for number, rows in enumerate(found.reshape(BANDS, ROWS)):
        yield number, rows.tobytes()


def keys(found: Signature, lang: str) -> list[int]:
    """The bands as numbers of 32 bits with a sign, to be looked up; other in each language."""
    mixed = (zlib.crc32(f"{lang} {n} ".encode() + content) for n, content in bands(found))
    return [key - 2**32 if key >= 2**31 else key for key in mixed]


def brief(found: Signature) -> bytes:
    """HASHES bytes that stand for the signature: the lowest byte of each number."""
    return found.astype(np.uint8).tobytes()


def shared(one: bytes, other: bytes) -> float:
    """About which share of all shingles of two texts both have (Jaccard's index), from `brief`.

    One in 256 numbers is the same by chance.
    """
    pair = [np.frombuffer(each, dtype=np.uint8) for each in (one, other)]
    same = float((pair[0] == pair[1]).mean())
    return max(0.0, (same - 1 / 256) / (1 - 1 / 256))
