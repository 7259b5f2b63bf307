"""A data collection of any size in a realistic shape, filled into an empty database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import agreement_sums, facts, offers
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import (
    Contribution,
    Message,
    MessageTree,
    Offer,
    Ranking,
    RankingConsensus,
    Task,
    TextLabels,
    TreeTransition,
)
from tests.benchmarks import sql

USERS = 20_000
LANGS = "en es ru de fr zh pt-BR it ja ar pl nl uk-UA tr ca vi ko th hu sv".split()
ACTIVE_SHARE = 0.04

S = TreeState
# How often trees of a state look like this: marks as in `tests.factories.grow`, and "*2" for a
# parent whose replies two people have ranked.
FULL = "P(A(P(A A)) A(P(A A)) A(P(A)))"
DONE = [
    (90, S.READY_FOR_EXPORT, "P*3(A(P*3(A A)) A(P*3(A A)) A(P(A)))"),
    (6, S.READY_FOR_EXPORT, "P*3(A(P(A A-)) A A- A(P(A)) A-)"),
    (30, S.ABORTED_LOW_GRADE, "P-"),
    (0.6, S.PROMPT_LOTTERY_WAITING, "P"),
    (2, S.HALTED_BY_MODERATOR, "P(A(P) A?1)"),
]
ACTIVE = [
    (1, S.INITIAL_PROMPT_REVIEW, "P?"),
    (1, S.INITIAL_PROMPT_REVIEW, "P?1"),
    (1, S.INITIAL_PROMPT_REVIEW, "P?2"),
    (1, S.GROWING, "P"),
    (1, S.GROWING, "P(A? A)"),
    (1, S.GROWING, "P(A(P?1) A?2 A?)"),
    (1, S.GROWING, "P(A(P(A? A)) A(P) A-)"),
    (1, S.GROWING, "P(A(P(A?1 A)) A(P(A?)) A(P?2))"),
    (1, S.GROWING, "P(A(P(A A)) A(P(A)) A(P(A?)))"),
    (1, S.RANKING, FULL),
    (1, S.RANKING, "P*1(A(P*2(A A)) A(P*3(A A)) A(P(A)))"),
    (1, S.RANKING, "P*2(A(P*3(A A)) A(P(A A)) A(P(A)))"),
]
FILLER = "Here is what helped me: first look at the whole, then take small steps, one by one. "
_NODE = re.compile(r"(?P<role>[PA])(?P<mark>[-?]?)(?P<number>\d?)(?:\*(?P<ranked>\d))?|[()]")


@dataclass
class Shape:
    """One drawn tree, and how often it occurs."""

    weight: float
    state: TreeState
    drawing: str

    @property
    def nodes(self) -> list[tuple]:
        """Place, parent, depth, role, reviews, verdict, rankings of its replies, rank, replies."""
        found: list[list] = []
        parents: list[int | None] = [None]
        last: int | None = None
        for token in _NODE.finditer(self.drawing):
            if token[0] == "(":
                parents.append(last)
            elif token[0] == ")":
                last = parents.pop()
            else:
                last = len(found)
                found.append(self._node(token, last, parents))
        return [tuple(node) for node in _with_ranks(found, self.state)]

    @staticmethod
    def _node(token: re.Match, place: int, parents: list[int | None]) -> list:
        verdict = {"": True, "-": False, "?": None}[token["mark"]]
        reviews = int(token["number"] or 0) if verdict is None else 3
        role = {"P": "prompter", "A": "assistant"}[token["role"]]
        depth = len(parents) - 1
        rankings = int(token["ranked"] or 0)
        return [place, parents[-1], depth, role, reviews, verdict, rankings, None, 0]


def _with_ranks(nodes: list[list], state: TreeState) -> list[list]:
    for parent in nodes:
        parent[8] = sum(n[1] == parent[0] and n[5] is not False for n in nodes)
        replies = [n for n in nodes if n[1] == parent[0] and n[5]]
        for rank, node in enumerate(replies):
            if parent[6]:
                node[7] = rank if state == S.READY_FOR_EXPORT else -1  # ranked, not yet scored
    return nodes


def build(messages: int) -> None:
    """People, about `messages` messages, and all that was done to them."""
    with sql.unchecked():
        sql.run("SELECT setseed(0.42)")  # the same database every time
        _people()
        shapes = _shapes()
        big = (Message, MessageTree, Task, TextLabels, Contribution, Ranking, TreeTransition)
        with sql.without_indexes(*big):
            _grow(shapes, messages)
        agreement_sums.mark_everything()  # the triggers did not run
        sql.run("VACUUM (ANALYZE)")
    offer_work()


def build_texts(messages: int, text: str) -> None:
    """People and about `messages` messages of them alone, in the order in which they were written.

    `text` is SQL over `bench_message m`.
    """
    with sql.unchecked():
        sql.run("SELECT setseed(0.42)")
        _people()
        shapes = _shapes()
        with sql.without_indexes(Message, MessageTree):
            _draw_trees(shapes, round(messages / _mean_size(shapes)))
            _trees()
            _draw_messages()
            _write(text, order="ORDER BY t")
            sql.run("DROP TABLE bench_tree, bench_node, bench_message")
        sql.run("VACUUM (ANALYZE)")


def top_up(messages: int) -> None:
    """Bring the active trees back to their share, as a site's people do."""
    active = MessageTree.objects.filter(active=True).count()
    shapes = [Shape(*row) for row in ACTIVE]
    mean = sum(len(shape.nodes) for shape in shapes) / len(shapes)
    wanted = ACTIVE_SHARE * messages / _mean_size(_shapes()) - active
    if wanted > 0:
        with sql.unchecked():
            _grow(shapes, round(wanted * mean))
        offer_work()


def _shapes() -> list[Shape]:
    """All shapes, weighted so that the active ones have their share of the trees."""
    rest = sum(weight for weight, *_ in DONE) / (1 - ACTIVE_SHARE) * ACTIVE_SHARE / len(ACTIVE)
    return [Shape(*row) for row in DONE] + [Shape(rest, *row[1:]) for row in ACTIVE]


def _mean_size(shapes: list[Shape]) -> float:
    total = sum(shape.weight for shape in shapes)
    return sum(shape.weight * len(shape.nodes) for shape in shapes) / total


def _people() -> None:
    langs = (
        "ARRAY(SELECT DISTINCT ('{"
        + ",".join(LANGS)
        + "}'::text[])[1 + "
        + ("floor(20 * power(random(), 2.5))::int] FROM generate_series(1, 1 + n %% 3))")
    )
    sql.fill(
        User,
        f"FROM generate_series(0, {USERS - 1}) n",
        id="md5('user ' || n)::uuid",
        email="'person.' || n || '@example.org'",
        display_name="'Person ' || n",
        contribution_languages=langs,
        password="'!'",
    )


def _grow(shapes: list[Shape], messages: int) -> None:
    """Trees in the given shapes, with all reviews, rankings, tasks and journal entries."""
    _draw_trees(shapes, round(messages / _mean_size(shapes)))
    for step in (_trees, _messages, _reviews, _rankings):
        step()
    sql.run("DROP TABLE bench_tree, bench_node, bench_message, bench_review, bench_ranking")


def _draw_trees(shapes: list[Shape], trees: int) -> None:
    """Which trees there will be, as temporary tables that all statements read."""
    first = MessageTree.objects.count()
    total = sum(shape.weight for shape in shapes)
    sql.run(
        """CREATE TEMPORARY TABLE bench_node (shape int, place int, parent int, depth int,
        role text, reviews int, verdict bool, rankings int, rank int, replies int)"""
    )
    for number, shape in enumerate(shapes):
        for node in shape.nodes:
            sql.run(f"INSERT INTO bench_node VALUES (%s{', %s' * 9})", number, *node)
    bounds, states, sofar = [], [], 0.0
    for shape in shapes:
        sofar += shape.weight / total
        bounds.append(sofar)
        states.append(str(shape.state))
    sql.run(
        """CREATE TEMPORARY TABLE bench_tree AS
        SELECT n, shape, (%s::text[])[shape + 1] AS state, lang,
            md5('message ' || n || ' 0')::uuid AS id, now() - random() * interval '300 days' AS t
        FROM (SELECT n, least(width_bucket(random(), %s::float8[]), %s) AS shape,
                (%s::text[])[1 + floor(20 * power(random(), 2.5))::int] AS lang
            FROM generate_series(%s::int, %s::int) n) drawn""",
        states,
        bounds[:-1],
        len(shapes) - 1,
        LANGS,
        first,
        first + trees - 1,
    )


def _trees() -> None:
    config = TreeConfig()
    terminal = [str(state) for state in S if state.is_terminal]
    sql.fill(
        MessageTree,
        "FROM bench_tree",
        id="id",
        lang="lang",
        state="state",
        active=f"state <> ALL('{{{','.join(terminal)}}}')",
        goal_tree_size=str(config.goal_tree_size),
        max_depth=str(config.max_tree_depth),
        max_children_count=str(config.max_children_count),
        won_prompt_lottery_at=f"CASE WHEN state NOT IN ({_quoted(_EARLY)}) THEN t END",
        state_since="t",
        created_at="t",
    )
    sql.fill(
        TreeTransition,
        "FROM bench_tree",
        tree_id="id",
        to_state="state",
        reason="'filled'",
        created_at="t",
    )


_EARLY = (S.INITIAL_PROMPT_REVIEW, S.PROMPT_LOTTERY_WAITING, S.ABORTED_LOW_GRADE)


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _person(residue: str) -> str:
    """Some people do much, most little; residues keep author (3) and reviewers (0 to 2) apart."""
    return f"md5('user ' || (4 * floor({USERS // 4} * power(random(), 2)) + {residue}))::uuid"


def _task(name: str, who: str, kind: str, message: str, **more: str) -> None:
    """One done task per row of the temporary table that holds what came of it."""
    sql.fill(
        Task,
        f"FROM bench_{name}",
        id="task",
        kind=kind,
        lang="lang",
        user_id=who,
        tree_id="tree_id",
        message_id=message,
        holds_slot="false",
        reserved_until="t",
        expires_at="t + interval '2 days'",
        created_at="t - interval '5 minutes'",
        done_at="t",
        submission="jsonb_build_object('sha256', md5(task::text) || md5('x' || task))",
        **more,
    )


def _messages() -> None:
    _draw_messages()
    words = " || ' ' || ".join(f"substr(md5(id::text), {start}, 5)" for start in range(1, 30, 4))
    _write(f"repeat('{FILLER}', 1 + n %% 6) || {words}")
    kind = f"CASE WHEN depth = 0 THEN '{TaskType.INITIAL_PROMPT}' ELSE role || '_reply' END"
    _task("message", "who", kind, "parent_id", result_id="id")
    what = "CASE WHEN depth = 0 THEN 'prompt' ELSE 'reply' END"
    _journal("message", "who", what, kind)


def _draw_messages() -> None:
    sql.run(
        f"""CREATE TEMPORARY TABLE bench_message AS
        SELECT md5('message ' || n || ' ' || place)::uuid AS id,
            CASE WHEN parent IS NOT NULL
                THEN md5('message ' || n || ' ' || parent)::uuid END AS parent_id,
            tree.id AS tree_id, md5('written ' || n || ' ' || place)::uuid AS task,
            {_person("3")} AS who, n, lang, state, node.*, t + place * interval '1 hour' AS t
        FROM bench_tree tree JOIN bench_node node USING (shape)"""
    )
    sql.run("ANALYZE bench_message")


def _write(text: str, *, order: str = "") -> None:
    above = "(SELECT p.rankings FROM bench_node p WHERE p.shape = m.shape AND p.place = m.parent)"
    sql.fill(
        Message,
        f"FROM (SELECT m.*, {text} AS text FROM bench_message m {order} OFFSET 0) m",
        id="id",
        tree_id="tree_id",
        parent_id="parent_id",
        user_id="who",
        role="role",
        text="text",
        lang="lang",
        depth="depth",
        children_count="replies",
        review_count="reviews",
        review_result="verdict",
        ranking_count=f"CASE WHEN rank IS NULL THEN 0 ELSE {above} END",
        rank="CASE WHEN rank >= 0 THEN rank END",
        search_vector="tasks_app_search_vector(lang, text)",  # triggers are off
        created_at="t",
    )


def _reviews() -> None:
    sql.run(
        f"""CREATE TEMPORARY TABLE bench_review AS
        SELECT m.id, m.tree_id, m.lang, m.verdict, m.depth, m.role, m.t,
            {_person("k")} AS reviewer,
            md5('reviewed ' || n || ' ' || place || ' ' || k)::uuid AS task
        FROM bench_message m, generate_series(0, reviews - 1) k"""
    )
    kind = f"""CASE WHEN depth = 0 THEN '{TaskType.LABEL_INITIAL_PROMPT}'
        ELSE 'label_' || role || '_reply' END"""
    _task("review", "reviewer", kind, "id")
    sql.fill(
        TextLabels,
        "FROM bench_review",
        message_id="id",
        user_id="reviewer",
        kind="'task'",
        task_id="task",
        values=f"""jsonb_build_object('spam', (verdict IS FALSE)::int::float,
            'quality', {_step("quality")}, 'helpfulness', {_step("helpfulness")},
            'creativity', {_step("creativity")}, 'humor', {_step("humor")},
            'toxicity', {_step("toxicity")}, 'violence', 0.0, 'lang_mismatch', 0.0, 'pii', 0.0,
            'not_appropriate', 0.0, 'hate_speech', 0.0, 'sexual_content', 0.0)""",
        created_at="t",
    )
    _journal("review", "reviewer", "'labels'", kind)


def _step(label: str) -> str:
    """What a reviewer says on a scale: what the message deserves, or a step beside it."""
    deserved = f"abs(hashtext('{label}' || id)) %% 5"
    return (
        f"least(4, greatest(0, {deserved} + (ARRAY[-1, 0, 0, 0, 1])"
        f"[1 + abs(hashtext('{label}' || task)) %% 5])) / 4.0"
    )


def _rankings() -> None:
    sql.run(
        f"""CREATE TEMPORARY TABLE bench_ranking AS
        SELECT p.id, p.tree_id, p.lang, p.state, p.t, {_person("k")} AS ranker, shown, k, n,
            md5('ranked ' || p.n || ' ' || p.place || ' ' || k)::uuid AS task
        FROM bench_message p, generate_series(0, p.rankings - 1) k, LATERAL (
            SELECT jsonb_agg(md5('message ' || p.n || ' ' || c.place)::uuid ORDER BY place) AS shown
            FROM bench_node c
            WHERE c.shape = p.shape AND c.parent = p.place AND c.rank IS NOT NULL) replies
        WHERE p.rankings > 0"""
    )
    kind = f"'{TaskType.RANK_ASSISTANT_REPLIES}'"
    _task("ranking", "ranker", kind, "id", shown_ids="shown")
    sql.fill(
        Ranking,
        "FROM bench_ranking",
        parent_id="id",
        user_id="ranker",
        task_id="task",
        # Some third voters say the opposite, which changes no majority.
        groups="""(SELECT jsonb_agg(jsonb_build_array(r) ORDER BY CASE
                WHEN k = 2 AND n %% 3 = 0 THEN -place ELSE place END)
            FROM jsonb_array_elements(shown) WITH ORDINALITY shown_at(r, place))""",
        created_at="t",
    )
    sql.fill(
        RankingConsensus,
        f"""FROM (SELECT DISTINCT id, shown, t FROM bench_ranking
            WHERE state = '{S.READY_FOR_EXPORT}') parents""",
        parent_id="id",
        order="shown",
        margins="'[]'",
        agreement="1.0",
        rankings="3",
        not_rankable="0",
        computed_at="t",
    )
    _journal("ranking", "ranker", "'ranking'", kind)


def _journal(name: str, who: str, what: str, kind: str) -> None:
    sql.fill(
        Contribution,
        f"FROM bench_{name}",
        kind=what,
        task_kind=kind,
        user_id=who,
        message_id="id",
        task_id="task",
        lang="lang",
        created_at="t",
    )


def offer_work() -> None:
    """Write offers and counters of the active trees that have none yet, by the domain's rules."""
    config, now = TreeConfig.current(), timezone.now()
    fresh = MessageTree.objects.filter(active=True).exclude(pk__in=Offer.objects.values("tree"))
    for tree in fresh:
        loaded = facts.load(tree)
        offers.write(tree, loaded, offers.plan(loaded, config), now=now)
