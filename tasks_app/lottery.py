"""Which waiting trees become active: the prompt lottery and the ranking backlog."""

import hashlib
import random
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction

from tasks_app import facts as tree_facts
from tasks_app import prompt_rankings, trees
from tasks_app.config import TreeConfig
from tasks_app.enums import RANK_TASKS, TreeState
from tasks_app.models import Message, MessageTree, Offer

# An author's chance grows with first places among replies, counted over this time.
FIRST_PLACES_SPAN = timedelta(days=30)
MAX_PROMPTS_PER_DRAW = 100


def prompts_wanted(langs: Collection[str], config: TreeConfig) -> dict[str, int]:
    """How many more initial prompts each language can use. One query. Source: reference 2.5."""
    trees = MessageTree.objects.count_early_states(langs)
    return {lang: _prompts_wanted(lang, trees, config) for lang in langs}


def _prompts_wanted(lang: str, trees: Mapping[tuple[str, str], int], config: TreeConfig) -> int:
    if lang in config.init_prompt_disabled_langs:
        return 0
    in_lottery = trees.get((lang, TreeState.PROMPT_LOTTERY_WAITING), 0)
    in_review = trees.get((lang, TreeState.INITIAL_PROMPT_REVIEW), 0)
    growing = trees.get((lang, TreeState.GROWING), 0)
    room_in_lottery = max(0, config.max_prompt_lottery_waiting - in_lottery)
    room_in_review = max(0, config.max_initial_prompt_review - in_review)
    return min(max(0, config.max_active_trees - growing) + room_in_review, room_in_lottery)


def settle(lang: str, *, now: datetime, rng: random.Random, ended: int = 0) -> None:
    """What follows when trees of a language changed state; `ended` of them went inactive."""
    config = TreeConfig.current()
    run_lottery(lang, now=now, rng=rng)
    for _ in range(ended):
        if rng.random() < config.p_activate_backlog_tree:
            activate_backlog(lang, now=now, rng=rng)
    wanted = config.min_active_rankings_per_lang
    while wanted and _open_rankings(lang) < wanted:
        if activate_backlog(lang, now=now, rng=rng) is None:
            return


def run_lottery(lang: str, *, now: datetime, rng: random.Random) -> list[uuid.UUID]:
    """Draw waiting prompts until `max_active_trees` grow. Returns the ids of the trees drawn.

    An author is drawn first, with the chance (first places in 30 days + 1), then one of the
    author's prompts, of those that people ranked best if any were ranked. Source: reference 2.5.
    """
    drawn = []
    with transaction.atomic():
        _lock_language(lang)
        config = TreeConfig.current()
        growing = MessageTree.objects.in_state(TreeState.GROWING, lang).count()
        for _ in range(config.max_active_trees - growing):
            tree = _draw(lang, now, rng)
            if tree is None:
                break
            tree.won_prompt_lottery_at = tree.won_prompt_lottery_at or now
            trees.enter(tree, TreeState.GROWING, now=now, reason="drawn in the lottery")
            trees.advance(tree, config=config, now=now)
            drawn.append(tree.pk)
    return drawn


def _draw(lang: str, now: datetime, rng: random.Random) -> MessageTree | None:
    waiting = Message.objects.waiting_prompts([lang])
    authors = list(waiting.order_by("user").values_list("user", flat=True).distinct())
    if not authors:
        return None
    firsts = Message.objects.first_places_since(
        [author for author in authors if author], now - FIRST_PLACES_SPAN
    )
    author = rng.choices(authors, weights=[firsts.get(author, 0) + 1 for author in authors])[0]
    prompts = waiting.filter(user=author).order_by("pk").values_list("pk", flat=True)
    best = prompt_rankings.favourites(list(prompts[:MAX_PROMPTS_PER_DRAW]))
    # A moderator may halt or delete an author's last prompt between two queries: draw again.
    tree = MessageTree.objects.locked().get(pk=rng.choice(best)) if best else None
    if tree is None or tree.state != TreeState.PROMPT_LOTTERY_WAITING:
        return _draw(lang, now, rng)
    return tree


def activate_backlog(lang: str, *, now: datetime, rng: random.Random) -> uuid.UUID | None:
    """Have one tree of the backlog ranked; those with nothing to rank are set aside.

    Returns the id of the tree, or None if the backlog is empty. Source: reference 2.6.
    """
    config = TreeConfig.current()
    while True:
        with transaction.atomic():
            _lock_language(lang)
            waiting = MessageTree.objects.in_state(TreeState.BACKLOG_RANKING, lang)
            ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:MAX_PROMPTS_PER_DRAW])
            if not ids:
                return None
            tree = MessageTree.objects.locked().get(pk=rng.choice(ids))
            if tree.state != TreeState.BACKLOG_RANKING:
                continue
            if any(tree_facts.load(tree).to_rank(config)):
                trees.enter(tree, TreeState.RANKING, now=now, reason="taken from the backlog")
                trees.advance(tree, config=config, now=now)
                return tree.pk
            trees.enter(tree, TreeState.ABORTED_LOW_GRADE, now=now, reason="nothing to rank")


def _open_rankings(lang: str) -> int:
    return Offer.objects.filter(kind__in=RANK_TASKS, lang=lang, slots__gt=0).count()


def _lock_language(lang: str) -> None:
    """Let one lottery run per language at a time, until the transaction ends."""
    key = int.from_bytes(hashlib.blake2b(lang.encode(), digest_size=4).digest())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(1, %s::bit(32)::int)", [f"{key:032b}"])
