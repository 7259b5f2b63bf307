"""The play: people take turns, are handed tasks, and do them by the script.

Nothing but the domain functions changes the database, and time is simulated.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from oasst.lib.errors import DomainError
from tasks_app import config, interactions, labels, lottery, moderation, selection
from tasks_app.config import TreeConfig
from tasks_app.enums import RANDOM, TaskType, TreeState
from tasks_app.errors import NoTaskAvailable, TaskNotFound, TooManyPendingTasks
from tasks_app.models import Message, MessageTree, Task
from tasks_app.simulation import opinions
from tasks_app.simulation.crowd import Crowd, Person
from tasks_app.simulation.opinions import Jury
from tasks_app.simulation.script import Line, Script

S = TreeState

TURN_S = (5, 60)  # seconds that a turn takes
PATIENCE = 4  # people in a row who find nothing, before time leaps
MAX_OPEN = 30  # trees on the way at a time
P_PROMPT = 0.2  # that an honest person thinks of a new prompt first
P_TROLL_PROMPT = 0.05
P_TROLL_SKIPS = 0.5
# Leaps of time without anybody submitting anything, before scripts are given up.
MAX_LEAPS = 200
MAX_LEAPS_AMONG_TROLLS = 40  # whose accepted spam takes the places of what is in the file

_OPEN = frozenset(state for state in S if not state.is_terminal) | {S.PROMPT_LOTTERY_WAITING}
_FINISHED = frozenset({S.RANKING, S.READY_FOR_EXPORT})


@dataclass(frozen=True)
class Waiting:
    """Somebody keeps a reply task until it is clear whether the file has a reply for it."""

    task: Task
    line: Line | None


class Stage:
    """One play of some scripts by a crowd."""

    def __init__(
        self,
        scripts: list[Script],
        crowd: Crowd,
        *,
        now: datetime,
        rng: random.Random,
        on_export: Callable[[], None],
    ) -> None:
        self.scripts = scripts
        self.crowd = crowd
        self.now = now
        self.interactions = 0
        self.second_attempts = 0
        self.lines: dict[UUID, Line] = {}
        self._states: dict[UUID, TreeState] = {}
        self._script_of = {line: script for script in scripts for line in script.lines()}
        self._rng = rng
        self._on_export = on_export
        current = TreeConfig.current()
        self._juries = {
            is_root: Jury(
                current.reviews_needed(is_root=is_root),
                current.acceptance_threshold(is_root=is_root),
            )
            for is_root in (True, False)
        }
        self._waiting: dict[UUID, Waiting] = {}
        self._skips: Counter[UUID] = Counter()
        self._leaps = 0
        self._has_trolls = crowd.honest < len(crowd.people)
        self._patience = MAX_LEAPS_AMONG_TROLLS if self._has_trolls else MAX_LEAPS
        self._spam: set[UUID] = set()
        self._improvised: set[UUID] = set()  # trees that cannot follow their script any more

    @property
    def trees(self) -> set[UUID]:
        """All trees of the play, those of trolls too."""
        return set(self._states)

    def play(self) -> None:
        """Take turns until nobody finds anything to do."""
        people = self.crowd.people
        idle = 0
        while not self._is_over() and (self._leaps <= self._patience or self._give_up_scripts()):
            if self.turn(self._rng.choice(people)):
                idle = 0
                continue
            idle += 1
            if idle >= PATIENCE and not self._go_on():
                return

    def _is_over(self) -> bool:
        """Every script was begun and no tree needs anybody."""
        begun = all(script.tree_id for script in self.scripts)
        return begun and not any(state in _OPEN for state in self._states.values())

    def _go_on(self) -> bool:
        """When many found nothing: let reservations run out, ask everybody, then improvise."""
        if self._leap():
            return True
        people = self._rng.sample(self.crowd.people, len(self.crowd.people))
        return any(self.turn(person) for person in people) or self._give_up_scripts()

    def turn(self, person: Person) -> bool:
        """Let one person do something; False if there was nothing to do."""
        self.now += timedelta(seconds=self._rng.randint(*TURN_S))
        if person.user.pk in self._waiting:
            return self._think_again(person)
        thinks_of_a_prompt = self._rng.random() < (P_TROLL_PROMPT if person.is_troll else P_PROMPT)
        if thinks_of_a_prompt and self._prompt(person):
            return True
        try:
            task = selection.next_task(person.user, RANDOM, now=self.now, rng=self._rng)
        except (NoTaskAvailable, TooManyPendingTasks):
            return not person.is_troll and self._prompt(person)
        if task.type.is_labeling:
            self._review(person, task)
        elif task.type.is_ranking:
            self._rank(person, task)
        else:
            self._reply(person, task)
        return True

    # Prompts

    def _prompt(self, person: Person) -> bool:
        script = next((script for script in self.scripts if script.tree_id is None), None)
        if script is None or sum(state in _OPEN for state in self._states.values()) >= MAX_OPEN:
            return False
        if person.is_troll:
            return self._prompt_spam(person)
        message = self._submit_prompt(person, script.lang, script.root.node.text, script.limits())
        if message is None:
            return False
        script.tree_id = message.tree_id
        self._stand_in(script.root, message)
        return True

    def _prompt_spam(self, person: Person) -> bool:
        script = self._rng.choice(self.scripts)
        limits = {"goal_tree_size": 3, "max_tree_depth": 2, "max_children_count": 2}
        message = self._submit_prompt(person, script.lang, self._junk(), limits)
        if message:
            self._spam.add(message.pk)
            self._improvised.add(message.tree_id)
        return message is not None

    def _submit_prompt(
        self, person: Person, lang: str, text: str, limits: dict[str, int]
    ) -> Message | None:
        try:
            task = selection.next_task(
                person.user, TaskType.INITIAL_PROMPT, langs=[lang], now=self.now, rng=self._rng
            )
            with config.overridden(**limits):
                message = interactions.submit_reply(task.pk, person.user, text, now=self.now)
        except DomainError:  # enough prompts for now, or this person just wrote the same
            return None
        self._count_submit()
        self._observe(message.tree_id)
        return message

    # Replies

    def _reply(self, person: Person, task: Task) -> None:
        line = self.lines.get(task.message_id)
        if person.is_troll:
            self._reply_as_troll(person, task)
        elif not self._write_or_skip(person, task, line):
            self._waiting[person.user.pk] = Waiting(task, line)

    def _think_again(self, person: Person) -> bool:
        waiting = self._waiting[person.user.pk]
        lapsed = self.now >= waiting.task.reserved_until
        if not lapsed and not self._write_or_skip(person, waiting.task, waiting.line):
            return False
        del self._waiting[person.user.pk]
        return not lapsed

    def _write_or_skip(self, person: Person, task: Task, line: Line | None) -> bool:
        """Write what the script has here, or give the task back if that will never be."""
        script = self._script_of[line] if line else None
        reply = script.next_below(line) if script and line else None
        if reply:
            message = self._write(person, task, reply.node.text)
            if message:
                self._stand_in(reply, message)
            return True
        if task.tree_id in self._improvised:
            self._write(person, task, f"Improvised: {self._rng.getrandbits(64):016x}")
            return True
        if self._is_in_the_way(task, script, line):
            self._skip(person, task)
            return True
        return False

    def _reply_as_troll(self, person: Person, task: Task) -> None:
        if self._rng.random() < P_TROLL_SKIPS:
            self._skip(person, task)
            return
        message = self._write(person, task, self._junk())
        if message:
            self._spam.add(message.pk)

    def _write(self, person: Person, task: Task, text: str) -> Message | None:
        try:
            message = interactions.submit_reply(task.pk, person.user, text, now=self.now)
        except DomainError:  # the place is gone, or this person wrote the same not long ago
            self._skip(person, task)
            return None
        self._count_submit()
        return message

    def _skip(self, person: Person, task: Task) -> None:
        try:
            interactions.skip(task.pk, person.user, now=self.now)
        except TaskNotFound:  # it expired and is gone
            return
        self.interactions += 1
        self._skips[task.message_id] += 1
        if task.tree_id:
            self._observe(task.tree_id)

    def _is_in_the_way(self, task: Task, script: Script | None, line: Line | None) -> bool:
        """The file has no further reply here, or there is one elsewhere that wants the place."""
        if script is None or line is None or script.is_finished_below(line):
            return self._may_skip(task)
        # Half of the people stay, for the reply that is still to come here.
        few = self._skips[task.message_id] < self.crowd.honest // 2
        return few and script.has_something_to_write()

    def _may_skip(self, task: Task) -> bool:
        """With trolls about, not everybody may: a message could need somebody later."""
        return not self._has_trolls or self._skips[task.message_id] < self.crowd.honest // 3

    def _junk(self) -> str:
        return f"Cheap watches, only today! {self._rng.getrandbits(64):016x}"

    def _stand_in(self, line: Line, message: Message) -> None:
        """From now on `message` is what the file's line became."""
        line.message_id = message.pk
        line.decided = line.verdict is None
        self.lines[message.pk] = line
        self._tidy(self._script_of[line])

    # Reviews

    def _review(self, person: Person, task: Task) -> None:
        message = task.message
        line = self.lines.get(message.pk)
        undecided = line is not None and line.verdict is None
        if undecided and not person.is_troll and self._may_skip(task):
            self._skip(person, task)  # in the file nobody decided on it either
            return
        values = self._opinion(person, task, message, line)
        interactions.submit_labels(task.pk, person.user, values, now=self.now)
        self._count_submit()
        verdict = Message.objects.values_list("review_result", flat=True).get(pk=message.pk)
        self._observe(task.tree_id)
        if verdict is not None and line and line.message_id == message.pk:
            self._judge(line, verdict)

    def _opinion(
        self, person: Person, task: Task, message: Message, line: Line | None
    ) -> opinions.Labels:
        form = labels.form_for(task.kind, task.form_mode)
        if person.is_troll:
            return opinions.at_random(form.valid, form.mandatory, self._rng)
        if message.pk in self._spam:
            return opinions.object_to(form.valid, self._rng)
        if line is None:
            return opinions.approve(form.valid, self._rng)
        jury = self._juries[message.is_root]
        return opinions.review(line, message.review_count, jury, form.valid, self._rng)

    def _judge(self, line: Line, verdict: bool) -> None:
        """Reviewers decided; if not as in the file, the message is written once more."""
        script = self._script_of[line]
        if verdict is line.verdict:
            line.decided = True
        elif line.message_id:
            self.second_attempts += 1
            line.decided = False
            if verdict:
                self._delete(line.message_id, "accepted by mistake")
            if line.parent is None:
                script.start_again()
            line.message_id = None
        self._tidy(script)

    # The moderator

    def _tidy(self, script: Script) -> None:
        """Delete what the file says was deleted, as soon as it is as far as it got there."""
        while line := next(script.removable(), None):
            if line.message_id:
                self._delete(line.message_id, "deleted in the file")
            line.removed = True
        self._reopen(script)

    def _delete(self, message_id: UUID, reason: str) -> None:
        moderation.delete_message(
            message_id, actor=self.crowd.moderator, reason=reason, now=self.now
        )

    def _reopen(self, script: Script) -> None:
        """A message that is deleted by now made the tree look complete."""
        tree_id = script.tree_id
        if tree_id is None or tree_id in self._improvised:
            return
        self._observe(tree_id)
        kept = sum(line.decided for line in script.lines() if line.is_kept)
        if self._states[tree_id] in _FINISHED and kept < script.goal:
            moderation.unhalt_tree(
                tree_id, actor=self.crowd.moderator, reason="not complete yet", now=self.now
            )
            self._observe(tree_id)

    # Rankings

    def _rank(self, person: Person, task: Task) -> None:
        if person.is_troll:
            groups = opinions.rank_at_random(task.shown_ids, self._rng)
        else:
            shown = [(key, self.lines.get(UUID(key))) for key in task.shown_ids]
            groups = opinions.rank(shown, self._rng)
        interactions.submit_ranking(
            task.pk, person.user, groups, now=self.now, not_rankable=not groups
        )
        self._count_submit()
        self._observe(task.tree_id)

    # Time and the world around

    def _count_submit(self) -> None:
        self.interactions += 1
        self._leaps = 0

    def _observe(self, tree_id: UUID) -> None:
        """Do what jobs would do after a tree changed its state."""
        tree = MessageTree.objects.get(pk=tree_id)
        state = TreeState(tree.state)
        before = self._states.get(tree_id)
        self._states[tree_id] = state
        if state == before:
            return
        if state == S.READY_FOR_EXPORT:
            self._on_export()
        drawn = []
        if S.GROWING in (before, state) or state.is_terminal:
            drawn = lottery.run_lottery(tree.lang, now=self.now, rng=self._rng)
        for other in drawn:
            if other in self._states:
                self._states[other] = S.GROWING

    def _leap(self) -> bool:
        """Let time pass until the next reservation of the crowd runs out."""
        people = [person.user.pk for person in self.crowd.people]
        held = Task.objects.filter(holds_slot=True, user__in=people)
        first = held.order_by("reserved_until").values_list("reserved_until", flat=True).first()
        if first is None:
            return False
        self._leaps += 1
        self.now = max(self.now, first) + timedelta(seconds=1)
        interactions.release_expired(now=self.now)
        return True

    def _give_up_scripts(self) -> bool:
        """Let people answer freely in trees that grow but cannot follow their script."""
        stalled = {pk for pk, state in self._growing() if pk not in self._improvised}
        self._improvised |= stalled
        self._leaps = 0
        return bool(stalled)

    def _growing(self) -> Iterable[tuple[UUID, TreeState]]:
        return [(pk, state) for pk, state in self._states.items() if state == S.GROWING]
