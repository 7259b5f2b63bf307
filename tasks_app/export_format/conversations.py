"""Trees as conversations for training: whole threads, and pairs of a better and a worse reply.

Here a prompter is called `user`, as chat templates want it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from tasks_app.export_format.nodes import MessageNode, MessageTree, visit_messages, visit_threads

_TRAINING_ROLES = {"prompter": "user", "assistant": "assistant"}

Turn = dict[str, str]


def answered_threads(tree: MessageTree) -> Iterator[list[MessageNode]]:
    """Each thread that ends on an assistant message with no other one below it.

    Truncated messages, and what follows them, count as not there.
    """
    for thread in visit_threads(tree.prompt):
        last, is_whole = thread[-1], not any(node.truncated for node in thread)
        if is_whole and last.role == "assistant" and not _is_answered(last):
            yield thread


def sft_rows(tree: MessageTree) -> Iterator[dict[str, Any]]:
    """One object per thread of `answered_threads`."""
    for thread in answered_threads(tree):
        yield _about(tree, thread[-1]) | {"messages": turns(thread)}


def preference_rows(
    tree: MessageTree, tied: Collection[frozenset[str]] = ()
) -> Iterator[dict[str, Any]]:
    """One object per pair of ranked assistant replies to the same message.

    Pairs of message ids in `tied` are left out: the rankings did not prefer either. So are
    truncated replies.
    """
    for thread in visit_threads(tree.prompt):
        whole = [r for r in thread[-1].replies if r.role == "assistant" and not r.truncated]
        replies = [reply for reply in whole if reply.rank is not None]
        replies.sort(key=lambda reply: reply.rank or 0)
        for better, worse in combinations(replies, 2):
            if frozenset({better.message_id, worse.message_id}) in tied:
                continue
            yield _about(tree, thread[-1]) | {
                "prompt": turns(thread),
                "chosen": turns([better]),
                "rejected": turns([worse]),
                "chosen_id": better.message_id,
                "rejected_id": worse.message_id,
            }


def tied_replies(tree: MessageTree) -> set[frozenset[str]]:
    """Pairs of replies that share a rank, or that as many rankings told one way as the other."""
    tied: set[frozenset[str]] = set()
    for node in visit_messages(tree.prompt):
        ranked = [reply for reply in node.replies if reply.rank is not None]
        tied |= {
            frozenset({one.message_id, other.message_id})
            for one, other in combinations(ranked, 2)
            if one.rank == other.rank
        }
        margins = _margins(node.events.get("ranking", ()))
        tied |= {pair for pair, margin in margins.items() if margin == 0}
    return tied


def _margins(rankings: Iterable[Mapping[str, Any]]) -> Counter[frozenset[str]]:
    """For each pair that was ranked, how many more preferred the id that sorts first."""
    margins: Counter[frozenset[str]] = Counter()
    for ranking in rankings:
        for (better, one), (worse, other) in combinations(_places(ranking), 2):
            preference = 0 if one == other else 1 if better < worse else -1
            margins[frozenset({better, worse})] += preference
    return margins


def _places(ranking: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Ids, best first, with the place of each; nothing of what is no ranking."""
    ids = ranking.get("ranked_message_ids")
    if not isinstance(ids, list) or ranking.get("not_rankable"):
        return []
    if not all(isinstance(id_, str) for id_ in ids):
        return []
    sizes = ranking.get("groups", [1] * len(ids))
    if not isinstance(sizes, list) or not all(isinstance(size, int) for size in sizes):
        return []
    places = [place for place, size in enumerate(sizes) for _ in range(min(size, len(ids)))]
    return list(zip(ids, places, strict=False))


def turns(thread: list[MessageNode]) -> list[Turn]:
    """Messages as chat templates take them."""
    return [{"role": _TRAINING_ROLES[node.role], "content": node.text} for node in thread]


def _is_answered(node: MessageNode) -> bool:
    waiting = list(node.replies)
    while waiting:
        below = waiting.pop()
        if below.truncated:
            continue
        if below.role == "assistant":
            return True
        waiting.extend(below.replies)
    return False


def _about(tree: MessageTree, node: MessageNode) -> dict[str, Any]:
    return {
        "message_tree_id": tree.message_tree_id,
        "message_id": node.message_id,
        "lang": node.lang or tree.prompt.lang,
    }
