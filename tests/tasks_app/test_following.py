"""Whoever follows a conversation is told what may be told, and nothing that ranks in secret."""

from datetime import timedelta

import pytest
from django.test import Client

from oasst.accounts.models import User
from tasks_app import following, notifications
from tasks_app.enums import NotificationKind as Kind
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import FollowsTooMany
from tasks_app.follow_records import TreeFollow
from tasks_app.models import MessageTree
from tasks_app.notice_records import Notification
from tests.calling import Program, token_of
from tests.factories import GOOD, NOW, SPAM, Grown, crowd, grow, hand_out, rank, reply, review

pytestmark = pytest.mark.django_db


def told(user: User) -> list[tuple[str, int]]:
    notifications.tell_news(now=NOW + timedelta(minutes=1))
    return list(Notification.objects.filter(user=user).values_list("kind", "count"))


@pytest.fixture
def followed(bob: User) -> Grown:
    """A growing tree that Bob follows."""
    grown = grow("P(A?)")
    following.follow(grown.root.tree_id, bob, now=NOW)
    return grown


def test_followers_are_told_of_accepted_replies_in_one_line(
    followed: Grown, alice: User, mona: User, bob: User
) -> None:
    for author in (alice, mona):
        review(reply(author, followed.root), GOOD, GOOD, GOOD)
    review(followed[1], SPAM, SPAM, SPAM)

    assert told(bob) == [(Kind.FOLLOWED_REPLY, 2)]
    assert Kind.FOLLOWED_REPLY not in dict(told(alice))


def test_nothing_is_told_of_own_replies_or_after_leaving(
    followed: Grown, alice: User, bob: User
) -> None:
    review(reply(bob, followed.root), GOOD, GOOD, GOOD)
    assert Kind.FOLLOWED_REPLY not in dict(told(bob))

    following.unfollow(followed.root.tree_id, bob)
    review(reply(alice, followed.root), GOOD, GOOD, GOOD)

    assert Kind.FOLLOWED_REPLY not in dict(told(bob))


@pytest.mark.parametrize("secret", ["tree is ranked", "copy is ranked blind", "follower reviews"])
def test_nothing_is_told_that_would_sway_a_vote(
    followed: Grown, alice: User, bob: User, secret: str
) -> None:
    review(reply(alice, followed.root), GOOD, GOOD, GOOD)
    trees = MessageTree.objects.filter(pk=followed.root.tree_id)
    if secret == "tree is ranked":
        trees.update(state=TreeState.RANKING)
    elif secret == "copy is ranked blind":
        copy = grow("P(A A)", state=TreeState.RANKING).root.tree
        MessageTree.objects.filter(pk=copy.pk).update(copy_of=followed.root.tree_id)
    else:
        hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, followed[1], now=NOW)

    assert told(bob) == []


def test_the_end_of_a_tree_is_told(bob: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    following.follow(grown.root.tree_id, bob, now=NOW)
    for ranker in crowd(3):
        rank(ranker, grown.root, [grown[1], grown[2]])

    assert told(bob) == [(Kind.FOLLOWED_END, 1)]


def test_page_follows_and_leaves(web: Client, alice: User) -> None:
    tree = grow("P(A)").root.tree_id
    assert "Stop following" not in web.get(f"/trees/{tree}/").text

    page = web.post(f"/trees/{tree}/follow/", follow=True)

    assert "Stop following" in page.text
    web.post(f"/trees/{tree}/follow/", {"leave": "on"})
    assert not TreeFollow.objects.exists()


def test_programs_follow_what_they_can_read_and_not_without_end(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_FOLLOWED", 1)
    program, trees = Program(token_of(alice)), [grow("P").root.tree_id for _ in range(2)]

    codes = [program.call("put", f"/trees/{tree}/follow").status_code for tree in trees]

    assert codes == [204, FollowsTooMany.status]
    assert program.call("delete", f"/trees/{trees[0]}/follow").status_code == 204
    assert not TreeFollow.objects.exists()
