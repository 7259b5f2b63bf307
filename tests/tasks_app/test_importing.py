"""Files in the oasst format become trees, whole or not at all, once."""

import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from oasst.accounts.models import User
from tasks_app.enums import TreeState
from tasks_app.export_format import BadLine
from tasks_app.importing import ImportReport, import_trees
from tasks_app.models import ImportedLabelAggregate, Message, MessageTree, Offer, TreeTransition
from tests.factories import NOW

pytestmark = pytest.mark.django_db

Row = dict[str, Any]


def key(number: int) -> str:
    return str(uuid.UUID(int=number))


def row(number: int, parent: int | None = None, depth: int = 0, **more: Any) -> Row:
    """A flat message of the tree whose prompt is message 1."""
    known = {
        "message_id": key(number),
        "parent_id": key(parent) if parent else None,
        "text": f"Message {number}",
        "role": "assistant" if depth % 2 else "prompter",
        "lang": "de",
        "review_count": 3,
        "review_result": True,
        "message_tree_id": key(1),
        "tree_state": "ready_for_export",
    }
    return known | more


def tree(number: int, *replies: Row, state: str | None = "ready_for_export", **more: Any) -> Row:
    prompt = row(number, message_tree_id=None, **more) | {"replies": list(replies)}
    return {"message_tree_id": key(number), "tree_state": state, "prompt": prompt}


PUBLISHED = [
    row(1, user_id="someone", created_date="2023-02-01T10:00:00+00:00", detoxify={"insult": 0.1}),
    row(2, 1, 1, rank=1, emojis={"+1": 2, "_skip_reply": 1}),
    row(3, 1, 1, rank=0, labels={"spam": {"value": 0.25, "count": 4}}, review_count=None),
    row(4, 2, 2, synthetic=True, model_name="parrot-1", lang=None, deleted=True),
]


def save(folder: Path, *lines: Row | str) -> Path:
    path = folder / "trees.jsonl"
    rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def load(folder: Path, *lines: Row | str, **options: Any) -> tuple[ImportReport, list[BadLine]]:
    bad: list[BadLine] = []
    path = save(folder, *lines)
    return import_trees(path, now=NOW, on_bad=bad.append, **options), bad


def test_import_keeps_what_the_file_says(tmp_path: Path) -> None:
    report, bad = load(tmp_path, *PUBLISHED)

    assert (report, bad) == (ImportReport(trees=1, messages=4), [])
    root, worse, better, last = Message.objects.order_by("id")
    assert (root.imported_author, root.user, root.detoxify) == ("someone", None, {"insult": 0.1})
    assert root.created_at.isoformat() == "2023-02-01T10:00:00+00:00"
    assert [m.depth for m in (root, worse, better, last)] == [0, 1, 1, 2]
    assert (worse.rank, better.rank, worse.emojis) == (1, 0, {"+1": 2, "_skip_reply": 1})
    assert (last.synthetic, last.model_name, last.deleted, last.lang) == (
        True,
        "parrot-1",
        True,
        "de",
    )
    assert root.children_count == 2
    assert worse.children_count == 0


def test_import_keeps_published_labels_as_aggregates(tmp_path: Path) -> None:
    load(tmp_path, *PUBLISHED)

    known = ImportedLabelAggregate.objects.get(message=key(3))
    assert known.values == {"spam": {"value": 0.25, "count": 4}}
    assert (known.review_count, known.review_count_known) == (0, False)
    assert ImportedLabelAggregate.objects.get(message=key(2)).review_count == 3


def test_import_twice_changes_nothing(tmp_path: Path) -> None:
    load(tmp_path, *PUBLISHED)
    before = list(Message.objects.order_by("id").values())

    report, bad = load(tmp_path, *PUBLISHED)

    assert (report, bad) == (ImportReport(known=1), [])
    assert list(Message.objects.order_by("id").values()) == before
    assert TreeTransition.objects.count() == 1


def test_import_of_the_same_tree_twice_in_a_file_takes_the_first(tmp_path: Path) -> None:
    report, _ = load(tmp_path, tree(7), tree(7, text="other"))

    assert (report.trees, report.known) == (1, 1)
    assert Message.objects.get().text == "Message 7"


@pytest.mark.parametrize(
    ("in_file", "wanted", "stored"),
    [
        ("growing", None, TreeState.GROWING),
        ("ready_for_scoring", None, TreeState.READY_FOR_EXPORT),
        ("not_applicable", None, TreeState.BACKLOG_RANKING),
        (None, None, TreeState.BACKLOG_RANKING),
        ("growing", TreeState.HALTED_BY_MODERATOR, TreeState.HALTED_BY_MODERATOR),
    ],
)
def test_import_puts_a_tree_in_the_state_of_the_file_or_the_one_asked_for(
    tmp_path: Path, in_file: str | None, wanted: TreeState | None, stored: TreeState
) -> None:
    load(tmp_path, tree(1, state=in_file), state=wanted)

    found = MessageTree.objects.get()
    assert (found.state, found.active) == (stored, not stored.is_terminal)
    assert found.origin == "trees.jsonl"
    logged = found.transitions.first()
    assert logged is not None
    assert (logged.from_state, logged.reason) == ("", "imported from trees.jsonl")


def test_import_of_an_active_tree_invites_work(tmp_path: Path) -> None:
    load(tmp_path, tree(1, state="initial_prompt_review", review_count=1, review_result=None))

    offer = Offer.objects.get()
    assert (offer.kind, offer.slots) == ("label_initial_prompt", 2)


def test_import_widens_the_limits_of_a_tree_that_is_larger_than_allowed(tmp_path: Path) -> None:
    wide = [row(number, 1, 1) for number in range(2, 9)]
    deep = [row(9, 8, 2), row(10, 9, 3), row(11, 10, 4), row(12, 10, 5, parent_id=key(11))]

    load(tmp_path, row(1), *wide, *deep)

    found = MessageTree.objects.get()
    assert (found.max_children_count, found.max_depth) == (7, 5)


def test_import_reports_bad_lines_and_takes_the_good_ones(tmp_path: Path) -> None:
    long = tree(8, lang="x" * 33)

    report, bad = load(tmp_path, tree(7), "{", long, tree(9))

    assert (report.trees, report.bad) == (2, 2)
    assert [b.number for b in bad] == [2, 3]
    assert "32 characters" in bad[1].reason
    assert not MessageTree.objects.filter(pk=key(8)).exists()


def test_import_takes_a_text_with_more_words_than_can_be_searched(tmp_path: Path) -> None:
    words = " ".join(f"{number:08x}" for number in range(120_000))

    report, bad = load(tmp_path, tree(7), tree(8, text=words), tree(9))

    assert (report.trees, bad) == (3, [])
    assert Message.objects.get(tree=key(8), parent=None).text == words


def test_import_does_not_blame_rows_for_a_database_that_is_away(
    tmp_path: Path,
) -> None:
    with connection.execute_wrapper(_away), pytest.raises(OperationalError):
        load(tmp_path, tree(7))

    assert not MessageTree.objects.exists()


def _away(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if sql.startswith("INSERT"):
        raise OperationalError("the connection is lost")
    return execute(sql, params, many, context)


def test_import_leaves_out_rows_whose_parent_is_absent(tmp_path: Path) -> None:
    report, bad = load(tmp_path, *PUBLISHED, row(6, 5, 1))

    assert (report.trees, report.messages) == (1, 4)
    assert [b.number for b in bad] == [5]


def test_import_refuses_a_tree_with_a_message_of_another_tree(tmp_path: Path) -> None:
    load(tmp_path, *PUBLISHED)
    thief = row(2, 20, 1) | {"parent_id": key(20)}

    report, bad = load(tmp_path, tree(20, thief))

    assert report.trees == 0
    assert key(2) in bad[0].reason
    assert not MessageTree.objects.filter(pk=key(20)).exists()


def test_import_gives_ids_that_are_no_uuid_always_the_same_one(tmp_path: Path) -> None:
    odd = {"message_tree_id": "t-1", "prompt": row(1) | {"message_id": "t-1"}}

    load(tmp_path, odd)
    report, _ = load(tmp_path, odd)

    assert report.known == 1


def test_dry_run_reports_and_stores_nothing(tmp_path: Path) -> None:
    report, _ = load(tmp_path, *PUBLISHED, dry_run=True)

    assert report == ImportReport(trees=1, messages=4)
    assert not Message.objects.exists()
    assert not MessageTree.objects.exists()


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import_trees", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_command_tells_what_it_did_and_which_lines_were_bad(tmp_path: Path) -> None:
    path = save(tmp_path, tree(7), "[]")

    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 bad lines were left out; the rest was imported"):
        call_command("import_trees", str(path), "--state", "growing", stdout=out, stderr=err)

    assert out.getvalue() == (
        "Imported 1 trees with 1 messages from trees.jsonl; 0 were there already, 1 bad lines.\n"
    )
    assert f"{path}:2: not a JSON object" in err.getvalue()
    assert MessageTree.objects.get().state == TreeState.GROWING


def test_command_imports_the_files_after_one_with_bad_lines(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [save(tmp_path, tree(7), "[]"), save(tmp_path / "other", tree(8))]

    with pytest.raises(CommandError, match="1 bad lines"):
        run(*map(str, files))

    assert MessageTree.objects.count() == 2


def test_command_names_states_that_are_not_known(tmp_path: Path) -> None:
    rows = [tree(1, state="not_applicable"), tree(2, state="not_applicable"), tree(3, state=None)]
    path = save(tmp_path, *rows)

    _out, told = run(str(path))
    _out, silent = run(str(path), "--state", "growing", "--dry-run")

    assert told == (
        f"{path}: 2 trees are in a state 'not_applicable' that is not known here; they enter "
        "backlog_ranking. Choose another with --state.\n"
    )
    assert silent == ""
    assert set(MessageTree.objects.values_list("state", flat=True)) == {"backlog_ranking"}


def test_command_refuses_files_it_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run(str(tmp_path / "absent.jsonl"))
    with pytest.raises(CommandError, match="no line of it"):
        run(str(save(tmp_path, '{"text": "only"}')))


def test_copies_of_what_people_wrote_here_belong_to_them(tmp_path: Path, alice: User) -> None:
    mine = row(2, 1, 1, user_id=str(alice.pk))
    path = save(tmp_path, row(1, user_id=str(uuid.uuid4())), mine, row(3, 1, 1, user_id="someone"))

    import_trees(path, now=NOW, on_bad=print, link_authors=True)

    prompt, copy, other = Message.objects.order_by("pk")
    assert (copy.user, copy.imported_author) == (alice, "")
    assert (other.user, other.imported_author) == (None, "someone")
    assert prompt.user is None


def test_authors_are_not_linked_unasked(tmp_path: Path, alice: User) -> None:
    import_trees(save(tmp_path, row(1, user_id=str(alice.pk))), now=NOW, on_bad=print)

    message = Message.objects.get()
    assert (message.user, message.imported_author) == (None, str(alice.pk))


def test_copies_know_their_originals_if_these_are_here(tmp_path: Path) -> None:
    load(tmp_path, tree(1))

    load(tmp_path, tree(2), tree(3), copy_of={key(2): key(1), key(3): key(9)})

    told = dict(MessageTree.objects.values_list("pk", "copy_of"))
    assert {str(copy): str(of) for copy, of in told.items() if of} == {key(2): key(1)}
