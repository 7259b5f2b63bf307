"""Plays one story: its cast takes tasks and does them, through the domain functions alone.

A play is a generator. It stops before every act, may say before what time it does not want to go
on, and is sent the time at which the act happens. So many plays can be told side by side in the
order of time.
"""

import random
from collections.abc import Callable, Collection, Generator, Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from oasst.accounts.models import User
from tasks_app import config, interactions, labels, lottery, moderation, reactions, selection
from tasks_app import trees as state_machine
from tasks_app.demo import opinions
from tasks_app.demo.cast import CAST
from tasks_app.demo.content import DraftLine, Line, SkipLine, Story
from tasks_app.enums import ReportState, Role, TaskType, TreeState
from tasks_app.models import Message, MessageTree, Task

Acts = Generator[datetime | None, datetime, None]
Writing = Generator[datetime | None, datetime, Message]
Cast = Mapping[str, User]
# The labels that somebody gives a message, of those that are valid for it.
Opinion = Callable[[Line, Collection[str]], dict[str, float]]

S = TreeState
REVIEWS = RANKINGS = 3
# The last of three reviews of so many messages is by somebody who hardly reads.
P_CARELESS = 0.45
# How often a prompt looks whether it was drawn before its play is given up.
MAX_DRAWS = 200
UNDRAWN = frozenset({S.INITIAL_PROMPT_REVIEW, S.ABORTED_LOW_GRADE, S.PROMPT_LOTTERY_WAITING})
COMPLETE = frozenset({S.RANKING, S.READY_FOR_EXPORT, S.SCORING_FAILED})


class CannotPlay(Exception):
    """The database is in a state in which a story cannot be told; says which and why."""


class Play:
    """One story, with the messages written so far."""

    def __init__(self, story: Story, cast: Cast, *, seed: int) -> None:
        self.story = story
        self.cast = cast
        self.ranked_after: datetime | None = None
        self.disputed_after: datetime | None = None
        self._rng = random.Random(f"{seed}/{story.key}")
        self._to_rank: list[tuple[Message, list[UUID]]] = []
        self._drafts: list[tuple[DraftLine, Message]] = []
        self._reported: list[tuple[Line, Message]] = []
        self._disputed: list[tuple[Line, Message]] = []

    @property
    def acts_expected(self) -> int:
        """About how many acts the play has."""
        messages = sum(1 for _ in self.story.lines())
        return messages * (REVIEWS + 2) + RANKINGS * (self.story.state in COMPLETE) + 2

    def acts(self) -> Acts:
        """All acts, in order. What moderators are to find fresh comes last."""
        yield from self._live()
        for line, message in self._disputed:
            yield from self._differ(line, message)
        for line, message in self._reported:
            now = yield None
            for report in line.reports:
                person = self.cast[report.by]
                reactions.report(message.pk, person, report.category, report.text, now=now)

    def _live(self) -> Acts:
        prompt = self.story.prompt
        root = yield from self._write(prompt, None)
        yield from self._review(prompt, root)
        yield from self._react(prompt, root)
        if self.story.state in UNDRAWN:
            return
        yield from self._wait_for_lottery(root)
        yield from self._grow(prompt, root)
        if self.story.state == S.HALTED_BY_MODERATOR:
            now = yield None
            self._halt(root, now)
        if self.story.state in COMPLETE:
            yield from self._rank()
        if self.story.state == S.SCORING_FAILED:
            now = yield None
            self._fail_scoring(root, now)

    def leave_drafts(self, *, now: datetime) -> None:
        """Let people take their tasks and begin to write."""
        for draft, message in self._drafts:
            author = self.cast[draft.by]
            task = self._take(author, _reply_kind(message), message, now)
            later = now + timedelta(minutes=1)
            interactions.save_draft(task.pk, author, {"text": draft.text}, now=later)

    # Writing and reviewing

    def _write(self, line: Line, parent: Message | None) -> Writing:
        now = yield None
        author = self.cast[line.author]
        kind = _reply_kind(parent) if parent else TaskType.INITIAL_PROMPT
        task = self._take(author, kind, parent, now)
        with config.overridden(**self._limits()):
            return interactions.submit_reply(
                task.pk, author, line.text, now=self._later(now), lang=self.story.lang
            )

    def _limits(self) -> dict[str, int]:
        if self.story.goal:
            return {"goal_tree_size": self.story.goal}
        if self.story.state in COMPLETE:
            return {"goal_tree_size": self.story.accepted_size}
        return {}

    def _review(self, line: Line, message: Message) -> Acts:
        if line.disputed:
            self._disputed.append((line, message))
            return
        wanted = REVIEWS if line.reviews is None else line.reviews
        for number, reviewer in enumerate(self._others({line.author}, wanted, line.reviews)):
            now = yield None
            is_last = number == REVIEWS - 1
            careless = self._careless() if is_last else None
            if careless:
                review = partial(opinions.careless_review, rng=self._rng)
            else:
                review = partial(opinions.review, rng=self._rng, is_last=is_last)
            self._review_once(careless or reviewer, line, message, now, review)

    def _careless(self) -> User | None:
        """Who takes the last review of a message now and then and hardly reads it."""
        keys = [p.key for p in CAST if p.role == "careless" and self.story.lang in p.langs]
        return self.cast[keys[0]] if keys and self._rng.random() < P_CARELESS else None

    def _differ(self, line: Line, message: Message) -> Acts:
        """Reviews by people who differ, until nobody else is asked."""
        most = config.TreeConfig().adaptive_most_reviews
        reviewers = self._others({line.author}, most, most)
        for number, reviewer in enumerate(reviewers):
            now = yield self.disputed_after
            if Message.objects.get(pk=message.pk).review_result is not None:
                return  # what is known of these people was enough
            review = partial(opinions.divided_review, rng=self._rng, number=number)
            self._review_once(reviewer, line, message, now, review)

    def _review_once(
        self, reviewer: User, line: Line, message: Message, now: datetime, review: Opinion
    ) -> None:
        kind = labels.review_kind(message.role, is_root=message.is_root)
        task = self._take(reviewer, kind, message, now)
        values = review(line, labels.form_for(kind, task.form_mode).valid)
        interactions.submit_labels(task.pk, reviewer, values, now=self._later(now))

    def _others(self, but: set[str], count: int, limit: int | None) -> list[User]:
        """`count` people who work in the story's language, in random order.

        What stays unfinished (`limit` is set) is left to those who sign in to see the product.
        """
        busy = but | ({"alice", "mona"} if limit is not None else set())
        keys = [
            person.key
            for person in CAST
            if self.story.lang in person.langs
            and person.role in {"contributor", "moderator"}
            and person.key not in busy
        ]
        return [self.cast[key] for key in self._rng.sample(keys, count)]

    def _wait_for_lottery(self, root: Message) -> Acts:
        for _ in range(MAX_DRAWS):
            now = yield None
            lottery.run_lottery(self.story.lang, now=now, rng=self._chance())
            if MessageTree.objects.get(pk=root.tree_id).state == S.GROWING:
                return
        raise CannotPlay(f"{self.story.key}: the lottery never drew the prompt")

    def _grow(self, line: Line, message: Message) -> Acts:
        """Write and review the replies, then theirs. Rejected ones first, to free their places."""
        if line.skip:
            yield from self._skip(line.skip, message)
        if line.draft:
            self._drafts.append((line.draft, message))
        replies = sorted(line.replies, key=lambda r: (not _is_dropped(r), self._rng.random()))
        written = {}
        for reply in replies:
            written[reply.text] = yield from self._write(reply, message)
            if _is_dropped(reply):
                yield from self._review(reply, written[reply.text])
                yield from self._react(reply, written[reply.text])
        kept = [reply for reply in replies if not _is_dropped(reply)]
        for reply in kept:
            yield from self._review(reply, written[reply.text])
            yield from self._react(reply, written[reply.text])
        best_first = [written[r.text].pk for r in line.replies if r.is_accepted]
        if message.role == Role.PROMPTER and len(best_first) > 1:
            self._to_rank.append((message, best_first))
        for reply in kept:
            if reply.is_accepted:
                yield from self._grow(reply, written[reply.text])

    def _skip(self, skip: SkipLine, message: Message) -> Acts:
        now = yield None
        person = self.cast[skip.by]
        task = self._take(person, _reply_kind(message), message, now)
        interactions.skip(task.pk, person, reason=skip.reason, now=self._later(now))

    # Ranking

    def _rank(self) -> Acts:
        wanted = RANKINGS if self.story.rankings is None else self.story.rankings
        rankers = {
            parent.pk: self._others(self._authors(best_first), wanted, self.story.rankings)
            for parent, best_first in self._to_rank
        }
        for number in range(wanted):
            for parent, best_first in self._to_rank:
                now = yield self.ranked_after
                ranker = rankers[parent.pk][number]
                self._rank_once(ranker, parent, best_first, now, is_last=number == RANKINGS - 1)

    def _rank_once(
        self,
        ranker: User,
        parent: Message,
        best_first: list[UUID],
        now: datetime,
        *,
        is_last: bool,
    ) -> None:
        task = self._take(ranker, TaskType.RANK_ASSISTANT_REPLIES, parent, now)
        groups = opinions.order(best_first, self._rng, is_last=is_last)
        with config.overridden(**self._ranking_limits()):
            interactions.submit_ranking(task.pk, ranker, groups, now=self._later(now))

    def _ranking_limits(self) -> dict[str, int]:
        """A tree whose scoring is to fail must not be scored by its last ranking."""
        if self.story.state == S.SCORING_FAILED:
            return {"num_required_rankings": RANKINGS + 1}
        return {}

    def _authors(self, ids: list[UUID]) -> set[str]:
        by_id = {user.pk: key for key, user in self.cast.items()}
        return {by_id[m.user_id] for m in Message.objects.filter(pk__in=ids) if m.user_id in by_id}

    # What others do to a message

    def _react(self, line: Line, message: Message) -> Acts:
        """Emoji, and what the moderator does."""
        if line.reports:
            self._reported.append((line, message))
        if line.reactions or line.edit or line.delete_reason:
            now = yield None
            self._give_reactions(line, message, now)
            if line.edit or line.delete_reason:
                now = yield None
                self._moderate(line, message, now)

    def _give_reactions(self, line: Line, message: Message, now: datetime) -> None:
        people = self._others({line.author, *(r.by for r in line.reports)}, 3, None)
        people += [user for user in self._fans(line) if user not in people]
        for code, count in line.reactions.items():
            for person in people[:count]:
                reactions.react(message.pk, person, code, now=self._later(now), op="add")
            people = people[count:] + people[:count]

    def _fans(self, line: Line) -> list[User]:
        """Everybody but the author may react, whatever languages they write."""
        keys = [p.key for p in CAST if p.role == "contributor" and p.key != line.author]
        return [self.cast[key] for key in self._rng.sample(keys, len(keys))]

    def _moderate(self, line: Line, message: Message, now: datetime) -> None:
        mona = self.cast["mona"]
        if line.edit:
            text = line.text.replace(line.edit.find, line.edit.replace)
            moderation.edit_message(message.pk, text, actor=mona, reason=line.edit.reason, now=now)
        if line.delete_reason:
            alice = self.cast["alice"]
            report = reactions.report(message.pk, alice, "pii", line.delete_reason, now=now)
            now = self._later(now)
            moderation.delete_message(message.pk, actor=mona, reason=line.delete_reason, now=now)
            moderation.resolve_report(
                report.pk, actor=mona, outcome=ReportState.RESOLVED, note="Deleted.", now=now
            )

    def _halt(self, root: Message, now: datetime) -> None:
        moderation.halt_tree(
            root.tree_id, actor=self.cast["mona"], reason=self.story.halt_reason, now=now
        )

    def _fail_scoring(self, root: Message, now: datetime) -> None:
        """No input makes scoring fail, so the moves it would make are made by hand."""
        tree = MessageTree.objects.locked().get(pk=root.tree_id)
        state_machine.enter(tree, S.READY_FOR_SCORING, now=now, reason="enough rankings")
        state_machine.enter(
            tree, S.SCORING_FAILED, now=now, reason="scoring failed: shown for demonstration"
        )
        state_machine.advance(tree, config=config.TreeConfig.current(), now=now)

    # Small things

    def _take(self, user: User, kind: str, message: Message | None, now: datetime) -> Task:
        return selection.next_task(
            user,
            kind,
            now=now,
            rng=self._chance(),
            langs=[self.story.lang],
            message_id=message.pk if message else None,
        )

    def _later(self, now: datetime) -> datetime:
        """The end of something that takes minutes."""
        return now + timedelta(seconds=self._rng.randint(40, 540))

    def _chance(self) -> random.Random:
        """A source of its own for each use, so that no use disturbs what follows."""
        return random.Random(self._rng.getrandbits(64))


def _is_dropped(line: Line) -> bool:
    """True for replies that will not count."""
    return line.is_rejected or bool(line.delete_reason)


def _reply_kind(parent: Message) -> TaskType:
    if parent.role == Role.PROMPTER:
        return TaskType.ASSISTANT_REPLY
    return TaskType.PROMPTER_REPLY
