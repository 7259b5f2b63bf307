"""Searching one's own chats: those that say what is asked for, and the passage of each that does.

A chat is found if each word is in its title or in any of its messages, and none that has a minus
is in any. Words are found as they are written and by the rules of the chat's language; in titles
also within words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, When
from django.db.models.functions import Left

from chat_app import search_sql
from chat_app.errors import SearchTooSlow
from chat_app.models import Chat, ChatMessage
from chat_app.querysets import ChatQuerySet
from oasst.lib import database
from oasst.lib.characters import UNSTORABLE
from oasst.lib.search import marks, sql, syntax
from oasst.lib.search.marks import Piece
from oasst.lib.search.syntax import Asked, Term

if TYPE_CHECKING:
    from oasst.accounts.models import User

MOST_CHARACTERS = 200
PATIENCE_MS = 2_000
# Each with a passage, which is most of the work.
PAGE_SIZE = 20


@dataclass(frozen=True)
class Shown:
    """A chat's title and a passage of it, with what was found marked."""

    title: list[Piece]
    passage: list[Piece]  # nothing if no message says it


@dataclass(frozen=True)
class Search:
    """What somebody asks of their own chats. Nothing is read before it is needed."""

    owner: User
    asked: Asked
    langs: Sequence[str]  # of the chats that there are
    phrases: sql.Phrases

    def chats(self) -> ChatQuerySet:
        """Those that were found, newest first; all if no words are asked for."""
        own = Chat.objects.of(self.owner).newest_first()
        each = [reduce(or_, map(self._has, group)) for group in self.asked.groups]
        return own.filter(reduce(and_, each)) if each else own

    def shown(self, chats: Collection[Chat]) -> dict[UUID, Shown]:
        """What the list tells of chats that were found. Three queries at most."""
        some = self._some()
        first = self._first_messages(chats, some) if some else []
        words = search_sql.words_of(first, some) if first else {}
        beginning = Left("text", marks.MOST_CHARACTERS)
        texts = ChatMessage.objects.filter(pk__in=first).values_list("chat_id", beginning)
        said = dict(texts) if first else {}
        return {
            chat.pk: self._show(chat, said.get(chat.pk, ""), words.get(chat.lang or sql.OTHER, ()))
            for chat in chats
        }

    def _show(self, chat: Chat, text: str, words: Collection[str]) -> Shown:
        groups = self.asked.groups
        passage = marks.excerpt(text, words, groups) if text else []
        return Shown(marks.title(chat.title, words, groups), passage)

    def _first_messages(self, chats: Collection[Chat], some: str) -> list[UUID]:
        """Of each chat the first message that says all that is asked for, else some of it."""
        says_all = Case(When(sql.finds(self._whole()), then=0), default=1)
        rows = ChatMessage.objects.readable().filter(chat__in=[chat.pk for chat in chats])
        rows = rows.filter(sql.finds(some)).order_by("chat_id", says_all, "created_at", "id")
        return list(rows.distinct("chat_id").values_list("pk", flat=True))

    def patience(self) -> AbstractContextManager[None]:
        """Read what was found inside: no query takes longer than people wait.

        Raises SearchTooSlow.
        """
        if not self.asked.groups:
            return nullcontext()
        return database.at_most(PATIENCE_MS, SearchTooSlow)

    def _has(self, term: Term) -> Q:
        """Whether a chat has a term, or has it nowhere if it is negated."""
        text = self.phrases.in_any(term, self.langs)
        if not text:
            return ~Q(pk=None) if term.is_negated else Q(title__icontains=term.text)
        said = self._is_said(text)
        if term.is_negated:
            return ~(said | search_sql.title_says(text))
        return Q(title__icontains=term.text) | said

    def _is_said(self, text: str) -> Q:
        """Whether a message of a chat has the words of a `tsquery`.

        The index names all chats at once. Older ones, whose messages do not name their owner
        yet, are looked through one by one.
        """
        readable = ChatMessage.objects.readable()
        found = readable.filter(search_sql.says(text, owner=self.owner.pk)).values("chat")
        older = readable.filter(sql.finds(text), chat=OuterRef("pk"))
        return Q(pk__in=found) | Q(Q(lang=None), Exists(older))

    def _some(self) -> str:
        """Any word that is asked for: a `tsquery` as text."""
        found = [self.phrases.lexemes(self.asked.groups, lang) for lang in self.langs]
        return " | ".join(dict.fromkeys(text for text in found if text))

    def _whole(self) -> str:
        """All that is asked for: a `tsquery` as text."""
        groups = [
            [self.phrases.in_any(term, self.langs) for term in group if not term.is_negated]
            for group in self.asked.groups
        ]
        said = [" | ".join(text for text in group if text) for group in groups]
        return " & ".join(f"({text})" for text in said if text)


def search(owner: User, words: str) -> Search:
    """Take apart what was typed. Two queries, none if that is nothing."""
    asked = syntax.parse(UNSTORABLE.sub("", words)[:MOST_CHARACTERS], fields=())
    if not asked.groups:
        return Search(owner, asked, (), sql.Phrases({}))
    langs = _langs(owner)
    return Search(owner, asked, langs, sql.phrases(asked.groups, langs))


def _langs(owner: User) -> list[str]:
    """The languages of a person's chats, and none in particular."""
    there = Chat.objects.of(owner).exclude(lang=None).order_by().values_list("lang", flat=True)
    return sorted({sql.OTHER, *filter(None, there.distinct())})
