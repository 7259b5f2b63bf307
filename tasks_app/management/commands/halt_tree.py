"""Stop a message tree."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oasst.lib.errors import DomainError
from tasks_app import moderation
from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageTree


class Command(BaseCommand):
    help = (
        "Stop a message tree: no more work is handed out on it. Safe to repeat. Moderators set it "
        "going again in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="of the tree, which is the id of its prompt")
        parser.add_argument("--reason", default="stopped by an operator", help="kept in the log")

    def handle(self, *args: Any, **options: Any) -> None:
        tree = _find(options["id"])
        if tree.state == TreeState.HALTED_BY_MODERATOR:
            self.stdout.write(f"Tree {tree.pk} was halted before. Nothing to do.")
            return
        try:
            moderation.halt_tree(tree.pk, actor=None, reason=options["reason"], now=timezone.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Tree {tree.pk} is halted. It was: {tree.get_state_display()}.")


def _find(text: str) -> MessageTree:
    try:
        pk = uuid.UUID(text)
    except ValueError:
        raise CommandError(f"“{text}” is no id: expected one like {uuid.UUID(int=0)}.") from None
    tree = MessageTree.objects.filter(pk=pk).first()
    if tree is not None:
        return tree
    message = Message.objects.filter(pk=pk).only("tree").first()
    if message is not None:
        raise CommandError(f"{pk} is a reply. Its tree has the id {message.tree_id}.")
    raise CommandError(f"There is no tree with the id {pk}. The admin finds trees by their words.")
