"""A tree of a file as a script: which message is written below which, and how each must end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from tasks_app.export_format import MessageNode, MessageTree, visit_messages

# Authors of rejected attempts can neither try again nor rank; so many are to be expected.
SPARE_AUTHORS = 2


class NotFinishable(Exception):
    """The workflow cannot bring this tree to its end; the text says why."""


@dataclass(eq=False)
class Line:
    """One message of the file, and how far the play has come with it."""

    node: MessageNode
    parent: "Line | None"
    replies: list["Line"] = field(default_factory=list)
    message_id: UUID | None = None  # the message that stands for it now
    decided: bool = False  # reviewed as in the file
    removed: bool = False  # deleted, as in the file

    @property
    def verdict(self) -> bool | None:
        """What reviewers decided in the file; None if nobody did."""
        return self.node.review_result

    @property
    def is_kept(self) -> bool:
        """Part of the finished tree: accepted and not deleted."""
        return self.verdict is True and not self.node.deleted

    @property
    def is_settled(self) -> bool:
        """As in the file."""
        return self.removed if self.node.deleted else self.decided

    def below(self) -> Iterator["Line"]:
        """This line and all below it."""
        yield self
        for reply in self.replies:
            yield from reply.below()

    def leads_to_losses(self) -> bool:
        """It, or a message below it, ends rejected or deleted, and has not yet."""
        return any(not line.is_kept and not line.is_settled for line in self.below())


class Script:
    """One tree of the file. Raises NotFinishable."""

    def __init__(self, tree: MessageTree) -> None:
        self.id = tree.message_tree_id
        self.root = lines_of(tree.prompt)
        self.lang = tree.prompt.lang or "en"
        self.tree_id: UUID | None = None
        self._check(tree)

    def _check(self, tree: MessageTree) -> None:
        if tree.tree_state != "ready_for_export":
            raise NotFinishable(f"its state in the file is {tree.tree_state}")
        if not self.root.is_kept:
            raise NotFinishable("its prompt was rejected or deleted")
        if self.goal < 2:
            raise NotFinishable("it has no accepted reply")
        for line in self.lines():
            above = line.parent
            if above and above.verdict is not True:
                raise NotFinishable(f"{line.node.message_id} answers a message never accepted")

    def lines(self) -> Iterator[Line]:
        """All messages, depth first."""
        return self.root.below()

    @property
    def goal(self) -> int:
        """Messages of the finished tree."""
        return sum(line.is_kept for line in self.lines())

    def limits(self) -> dict[str, int]:
        """Tunables with which the tree can take all its messages, and no more than it needs."""
        return {
            "goal_tree_size": self.goal,
            "max_tree_depth": max(self._depths(self.root, 0)),
            "max_children_count": max(len(line.replies) for line in self.lines()),
            "num_prompter_replies": max(
                [len(line.replies) for line in self.lines() if line.node.role == "assistant"]
            ),
        }

    def contributors_needed(self, rankers: int) -> int:
        """Nobody answers the same message twice or ranks among their own replies."""
        return max(len(line.replies) for line in self.lines()) + rankers + SPARE_AUTHORS

    def next_below(self, parent: Line) -> Line | None:
        """The reply to write next, if one may be written now; those that get lost go first."""
        candidates = [line for line in parent.replies if self._may_write(line)]
        return min(candidates, key=lambda line: not line.leads_to_losses(), default=None)

    def has_something_to_write(self) -> bool:
        """Some message, wherever in the tree, wants a reply now."""
        return any(line.decided and self.next_below(line) for line in self.lines())

    def is_finished_below(self, parent: Line) -> bool:
        """Nothing remains to be written below `parent`, whatever happens elsewhere."""
        return all(line.is_settled for line in parent.replies)

    def removable(self) -> Iterator[Line]:
        """Messages that the moderator deletes now: from the leaves up, to keep places free."""
        for line in self.lines():
            is_lost = line.node.deleted and not line.removed
            if is_lost and line.message_id and line.decided and self.is_finished_below(line):
                yield line

    def start_again(self) -> None:
        """The prompt was rejected by mistake: somebody writes it once more."""
        self.tree_id = None
        for line in self.lines():
            line.message_id, line.decided, line.removed = None, False, False

    def _may_write(self, line: Line) -> bool:
        """A tree that reached its goal takes no more replies, so some wait until losses are over:
        there must be room for the losses and for the messages above them."""
        if line.message_id:
            return False
        losses = [line for line in self.lines() if not line.is_kept and not line.is_settled]
        if not losses or line.leads_to_losses():
            return True
        accepted_for_now = sum(lost.verdict is True for lost in losses)
        kept = [other for other in self.lines() if other.is_kept]
        taken = sum(bool(other.message_id) or other.leads_to_losses() for other in kept)
        return taken + 1 < self.goal - accepted_for_now

    def _depths(self, line: Line, depth: int) -> Iterator[int]:
        yield depth
        for reply in line.replies:
            yield from self._depths(reply, depth + 1)


def lines_of(prompt: MessageNode) -> Line:
    """The messages of a tree as lines; its prompt is the one that holds the others."""
    root = Line(prompt, None)
    by_id = {prompt.message_id: root}
    for node in visit_messages(prompt):
        for reply in node.replies:
            line = Line(reply, by_id[node.message_id])
            by_id[node.message_id].replies.append(line)
            by_id[reply.message_id] = line
    return root
