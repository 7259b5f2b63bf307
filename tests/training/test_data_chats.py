"""From what people liked in their chats to pairs: the real export, the real reader."""

from pathlib import Path

import pytest
from django.core.management import call_command

from chat_app import conversations
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from training import data
from training.config import DataConfig, SourceConfig
from training.data import NotEnoughData


def pairs(folder: Path) -> set[tuple[str, str, str, float]]:
    """Prompt, better and worse answer, weight, of an export made now."""
    out = folder / "chats.jsonl.gz"
    call_command("export_chats", out=out)
    source = SourceConfig(path=str(out))
    split = data.preferences(DataConfig(sources=(source,), eval_share=0.0, min_examples=1))
    return {
        (
            row["prompt"][-1]["content"],
            row["chosen"][0]["content"],
            row["rejected"][0]["content"],
            row["weight"],
        )
        for row in split.train
    }


def test_a_picked_draft_beats_each_other_one(alice: User, tmp_path: Path) -> None:
    chat, (prompt, good) = given.thread(alice, "Why?", "Good")
    for text in ("Bad", "Worse"):
        given.answer(prompt, text)
    conversations.choose_draft(chat, good, now=NOW)

    assert pairs(tmp_path) == {("Why?", "Good", "Bad", 0.5), ("Why?", "Good", "Worse", 0.5)}


def test_thumbs_up_beats_thumbs_down(alice: User, tmp_path: Path) -> None:
    _chat, (prompt, liked) = given.thread(alice, "Why?", "Good")
    disliked = given.answer(prompt, "Bad")
    given.answer(prompt, "Nobody said anything")
    conversations.vote(liked, 1, now=NOW)
    conversations.vote(disliked, -1, now=NOW)

    assert pairs(tmp_path) == {("Why?", "Good", "Bad", 1.0)}


def test_without_consent_nothing_is_learned(alice: User, tmp_path: Path) -> None:
    chat, (prompt, liked) = given.thread(alice, "Why?", "Good")
    disliked = given.answer(prompt, "Bad")
    conversations.vote(liked, 1, now=NOW)
    conversations.vote(disliked, -1, now=NOW)
    given.thread(alice, "Allowed, but not judged", "So.")
    conversations.set_data_use(chat, False)

    with pytest.raises(NotEnoughData, match="0 pairs found"):
        pairs(tmp_path)
