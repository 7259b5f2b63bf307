"""Trees of any shape: which threads, pairs and prompts come out."""

from collections import Counter, defaultdict
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.export_format import MessageNode, MessageTree, visit_messages, visit_threads
from training import examples
from training.config import DataConfig
from training.examples import Example, Maker, Tally

FLAWS = ("deleted", "rejected", "synthetic", "truncated", "blank", "")
ROLES = ("prompter", "assistant")


@st.composite
def trees(draw: st.DrawFn) -> MessageTree:
    """Up to 20 messages, some of them flawed, answers ranked among their siblings."""
    nodes = [_node(0, 0, "")]
    depths = [0]
    for number in range(1, draw(st.integers(1, 20))):
        parent = draw(st.integers(0, number - 1))
        flaw = draw(st.sampled_from(FLAWS)) if draw(st.booleans()) else ""
        depths.append(depths[parent] + 1)
        nodes.append(_node(number, depths[number], flaw))
        nodes[number].parent_id = nodes[parent].message_id
        nodes[number].rank = len(nodes[parent].replies)
        nodes[parent].replies.append(nodes[number])
    return MessageTree("0", "ready_for_export", nodes[0])


def _node(number: int, depth: int, flaw: str) -> MessageNode:
    return MessageNode(
        str(number),
        text="" if flaw == "blank" else f"text {number}",
        role=ROLES[depth % 2],
        review_count=3,
        review_result=flaw != "rejected",
        deleted=flaw == "deleted",
        synthetic=flaw == "synthetic",
        truncated=flaw == "truncated",
    )


def is_usable(node: MessageNode, *, imitated: bool) -> bool:
    is_theirs = imitated and node.synthetic and node.role == "assistant"
    unfit = node.deleted or not node.review_result or not node.text or node.truncated
    return not unfit and not is_theirs


def usable_threads(tree: MessageTree, *, imitated: bool) -> list[list[MessageNode]]:
    found = visit_threads(tree.prompt)
    return [t for t in found if all(is_usable(node, imitated=imitated) for node in t)]


def make(maker: Maker, tree: MessageTree) -> tuple[list[Example], Tally]:
    tally = Tally()
    return list(maker(tree, DataConfig(), tally, 0)), tally


@settings(max_examples=80)
@given(trees())
def test_each_usable_answer_is_learned_and_no_conversation_is_part_of_another(
    tree: MessageTree,
) -> None:
    threads = usable_threads(tree, imitated=True)
    wanted = {thread[-1].text for thread in threads if thread[-1].role == "assistant"}

    made, _ = make(examples.sft, tree)

    talks = [[turn["content"] for turn in example.row["messages"]] for example in made]
    assert {text for talk in talks for text in talk[1::2]} == wanted
    for one, other in combinations(talks, 2):
        assert one != other[: len(one)]
        assert other != one[: len(other)]


@settings(max_examples=80)
@given(trees())
def test_all_pairs_of_usable_answers_are_compared_the_better_one_first(tree: MessageTree) -> None:
    wanted: Counter[tuple[str, str]] = Counter()
    siblings: dict[str, list[str]] = defaultdict(list)
    for thread in usable_threads(tree, imitated=False):
        if thread[-1].role == "assistant":
            siblings[thread[-2].message_id].append(thread[-1].text)
    for texts in siblings.values():  # replies stand by rank
        wanted.update(combinations(texts, 2))

    made, _ = make(examples.preferences, tree)

    pairs = [(e.row["chosen"][0]["content"], e.row["rejected"][0]["content"]) for e in made]
    assert Counter(pairs) == wanted
    assert sum(e.row["best_vs_worst"] for e in made) == sum(len(s) > 1 for s in siblings.values())


@settings(max_examples=80)
@given(trees())
def test_every_message_is_used_or_counted_as_left_out(tree: MessageTree) -> None:
    total = sum(1 for _ in visit_messages(tree.prompt))
    usable = len(usable_threads(tree, imitated=False))

    made, tally = make(examples.prompts, tree)

    assert usable + tally.left_out.total() == total
    assert all(example.row["prompt"][-1]["role"] == "user" for example in made)
