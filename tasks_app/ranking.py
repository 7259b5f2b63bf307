"""One order from many people's rankings: ranked pairs and rank correlation.

Pure and standard library only. A ranking is a list of groups of ids, best first; the ids of one
group are tied.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import fsum, sqrt
from typing import Any, Generic, TypeVar

Id = TypeVar("Id", bound=Hashable)
Groups = Sequence[Collection[Id]]


@dataclass(frozen=True)
class Consensus(Generic[Id]):
    """What the voters agree on.

    `margins` holds, for each ordered pair (a, b) of `order`, the weight of the voters who put a
    before b minus that of those who put b before a. `agreement` is Kendall's W with correction
    for ties: 1 if all voters say the same, near 0 if they say nothing in common, None with fewer
    than two voters or where all are ties.
    """

    order: list[Id]
    margins: dict[tuple[Id, Id], float]
    agreement: float | None
    voters: int


def ranked_pairs(
    rankings: Sequence[Groups[Id]], weights: Sequence[float] | None = None
) -> Consensus[Id]:
    """Aggregate rankings of the ids that all of them contain, best first.

    Ids that some voter did not see are left out. Ties within a ranking give no margin; ties
    between majorities break on the id (ids must be sortable), so equal input, in whatever order
    of voters, gives equal output. `weights` are the voters' weights, by default 1 each.
    Raises ValueError on fewer than two common ids, an id twice in a ranking, or bad weights.
    Source: Tideman 1987; details as in the original, reference 4.1 and 4.2.
    """
    chosen = _checked_weights(len(rankings), weights)
    common = _common_ids(rankings)
    places = [_places(groups, common) for groups in rankings]
    ids = sorted(common)  # type: ignore[type-var]
    margins = _margins(ids, places, chosen)
    return Consensus(
        order=_read_off(ids, _lock(ids, margins)),
        margins=margins,
        agreement=kendall_w(places),
        voters=len(rankings),
    )


def kendall_tau(first: Groups[Id], second: Groups[Id]) -> float | None:
    """Rank correlation τ-b of two rankings over the ids that both contain, from −1 to 1.

    None where it is not defined: fewer than two common ids, or one of them all ties.
    Source: Kendall 1945.
    """
    common = {i for group in first for i in group} & {i for group in second for i in group}
    a, b = _places(first, common), _places(second, common)
    concordance = untied_a = untied_b = 0
    for x, y in combinations(common, 2):
        sign_a, sign_b = _sign(a[x] - a[y]), _sign(b[x] - b[y])
        concordance += sign_a * sign_b
        untied_a += abs(sign_a)
        untied_b += abs(sign_b)
    if not untied_a or not untied_b:
        return None
    return concordance / sqrt(untied_a * untied_b)


def concordance(rankings: Sequence[Groups[Id]]) -> float | None:
    """Kendall's W of rankings over the ids that all of them contain.

    None with fewer than two rankings or common ids, or where all are ties.
    """
    common = set.intersection(*({i for group in r for i in group} for r in rankings))
    return kendall_w([_places(groups, common) for groups in rankings]) if len(common) > 1 else None


def kendall_w(places: Sequence[dict[Id, float]]) -> float | None:
    """Concordance W of voters who each gave every id a (mid-)rank, from 0 to 1.

    W = 12 S / (m² (n³ − n) − m Σ(t³ − t)), S being the sum of squared deviations of the rank
    sums and t the sizes of the ties. Source: Kendall & Babington Smith 1939.
    """
    if len(places) < 2:
        return None
    voters, count = len(places), len(places[0])
    sums = [fsum(place[i] for place in places) for i in places[0]]
    mean = fsum(sums) / count
    deviation = fsum((value - mean) ** 2 for value in sums)
    ties = sum(_tie_correction(place) for place in places)
    scale = voters**2 * (count**3 - count) - voters * ties
    return min(1.0, 12 * deviation / scale) if scale else None


def _checked_weights(voters: int, weights: Sequence[float] | None) -> Sequence[float]:
    if weights is None:
        return [1] * voters
    if len(weights) != voters or any(not weight >= 0 for weight in weights):
        raise ValueError(f"{voters} rankings need as many weights >= 0: {list(weights)}")
    return weights


def _common_ids(rankings: Sequence[Groups[Id]]) -> set[Id]:
    seen: list[set[Id]] = []
    for groups in rankings:
        ids = [i for group in groups for i in group]
        if len(ids) != len(set(ids)):
            raise ValueError(f"a ranking names an id twice: {ids}")
        seen.append(set(ids))
    common = set.intersection(*seen) if seen else set()
    if len(common) < 2:
        raise ValueError(f"rankings need at least two ids in common, not {len(common)}")
    return common


def _places(groups: Groups[Id], common: set[Id]) -> dict[Id, float]:
    """Mid-rank (1 is best) of each common id; tied ids share the mean of their places."""
    places: dict[Id, float] = {}
    for group in groups:
        tied = [i for i in group if i in common]
        place = len(places) + (len(tied) + 1) / 2
        places.update(dict.fromkeys(tied, place))
    return places


def _margins(
    ids: Sequence[Id], places: Sequence[dict[Id, float]], weights: Sequence[float]
) -> dict[tuple[Id, Id], float]:
    margins: dict[tuple[Id, Id], float] = {}
    for a, b in combinations(ids, 2):
        # fsum: the result must not depend on the order of the voters.
        votes = [w * _sign(p[b] - p[a]) for p, w in zip(places, weights, strict=True)]
        margins[a, b] = fsum(votes)
        margins[b, a] = 0 - margins[a, b]
    return margins


def _lock(ids: Sequence[Id], margins: dict[tuple[Id, Id], float]) -> dict[Id, set[Id]]:
    """For each id, those it beats, directly or through others, in the locked order.

    Pairs go in by margin, greatest first, then by ids; one that would close a cycle is left out.
    A pair without a majority is listed in both directions, so the lower id goes first.
    """
    index = {i: n for n, i in enumerate(ids)}
    pairs = [pair for pair in permutations(ids, 2) if margins[pair] >= 0]
    pairs.sort(key=lambda pair: (-margins[pair], index[pair[0]], index[pair[1]]))
    below: dict[Id, set[Id]] = {i: set() for i in ids}
    for winner, loser in pairs:
        if winner in below[loser]:
            continue
        won = {loser} | below[loser]
        for i in ids:
            if i == winner or winner in below[i]:
                below[i] |= won
    return below


def _read_off(ids: Sequence[Id], below: dict[Id, set[Id]]) -> list[Id]:
    """Best first. Every pair is decided once, so who beats more comes first."""
    return sorted(ids, key=lambda i: -len(below[i]))


def _tie_correction(places: dict[Any, float]) -> int:
    sizes = [list(places.values()).count(place) for place in set(places.values())]
    return sum(size**3 - size for size in sizes)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
