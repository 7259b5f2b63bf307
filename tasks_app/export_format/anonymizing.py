"""Ids that cannot be traced back without the seed."""

import hmac
from typing import Any
from uuid import UUID

from tasks_app.export_format.nodes import MessageTree, visit_messages


class Anonymizer:
    """Replaces ids of people, messages and trees by others that only the seed can reproduce.

    The same id with the same seed gives the same result, so references keep their meaning and two
    exports can be joined. Results look like UUIDs and can be imported. Nothing is remembered: that
    two of a million ids fall together among 2^122 is less likely than 1 in 10^24.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()

    def user(self, key: str | None) -> str | None:
        """Another id for a person."""
        return None if key is None else self._replace("user", key)

    def message(self, key: str) -> str:
        """Another id for a message, or for a tree, whose id is that of its prompt."""
        return self._replace("message", key)

    def tree(self, tree: MessageTree) -> None:
        """Replace every id in the tree, those in events too."""
        tree.message_tree_id = self.message(tree.message_tree_id)
        for node in visit_messages(tree.prompt):
            node.message_id = self.message(node.message_id)
            node.parent_id = node.parent_id and self.message(node.parent_id)
            node.user_id = self.user(node.user_id)
            node.events = {
                name: [{key: self._in_event(key, value) for key, value in event.items()}
                       for event in events]
                for name, events in node.events.items()
            }  # fmt: skip

    def _in_event(self, key: str, value: Any) -> Any:
        if key == "user_id":
            return self.user(value)
        if key in {"message_tree_id", "ranking_parent_id"}:
            return value and self.message(value)
        if key == "ranked_message_ids":
            return [self.message(message_id) for message_id in value]
        return value

    def _replace(self, collection: str, key: str) -> str:
        name = f"{collection}:{key}"
        digest = hmac.digest(self._seed, name.encode(), "sha256")
        return str(UUID(bytes=digest[:16], version=4))
