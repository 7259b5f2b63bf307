"""Lines that are not trees: conversations, pairs and prompts of several makers."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import rows
from training.rows import Conversation, Pair, Prompt, RowError, Undecided

HI = [{"role": "user", "content": "Hi"}]
HELLO = {"role": "assistant", "content": "Hello"}
HEY = {"role": "assistant", "content": "Hey"}
PAIR = Pair(HI, "Hello", "Hey")
HH = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: Hey"}
PANDALM = {"instruction": "Hi", "input": "", "response1": "Hey", "response2": "Hello"}


def read(row: dict[str, Any]) -> rows.Row:
    kind = rows.recognise(row)
    assert kind is not None
    return rows.parse(row, kind)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (HH, PAIR),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "Hey"}, PAIR),
        ({"prompt": HI, "chosen": [HELLO], "rejected": [HEY]}, PAIR),
        ({"prompt": HI, "chosen": [*HI, HELLO], "rejected": [*HI, HEY]}, PAIR),
        ({"chosen": [*HI, HELLO], "rejected": [*HI, HEY]}, PAIR),
        ({"input": "Hi", "output_1": "Hey", "output_2": "Hello", "label": 2}, PAIR),
        (PANDALM | {"annotator1": 2, "annotator2": 1, "annotator3": 2}, PAIR),
        (PANDALM | {"input": "there", "annotator1": 2},
         Pair([{"role": "user", "content": "Hi\n\nthere"}], "Hello", "Hey")),
        ({"messages": [*HI, HELLO]}, Conversation([*HI, HELLO])),
        ({"messages": [{"role": "prompter", "content": " Hi\n"}, HELLO], "lang": "en"},
         Conversation([*HI, HELLO], lang="en")),
        ({"messages": HI}, Prompt(HI)),
        ({"instruction": "Hi", "context": "", "response": "Hello"}, Conversation([*HI, HELLO])),
        ({"prompt": "Hi"}, Prompt(HI)),
        ({"prompt": HI}, Prompt(HI)),
        ({"text": "Hi"}, Prompt(HI)),
    ],
)  # fmt: skip
def test_each_format_is_recognised_and_read(row: dict[str, Any], wanted: rows.Row) -> None:
    assert read(row) == wanted


def test_a_dialogue_keeps_all_its_turns() -> None:
    before = "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Say: Human: x\n\nAssistant:"

    pair = read({"chosen": f"{before} One\n\ntwo", "rejected": f"{before} Three"})

    assert isinstance(pair, Pair)
    assert [turn["content"] for turn in pair.prompt] == ["Hi", "Yes?", "Say: Human: x"]
    assert (pair.chosen, pair.rejected) == ("One\n\ntwo", "Three")


@pytest.mark.parametrize(
    "votes", [{"annotator1": 0}, {"annotator1": 1, "annotator2": 2},
              {"annotator1": 0, "annotator2": 1, "annotator3": 2}],
)  # fmt: skip
def test_without_a_majority_nobody_has_won(votes: dict[str, int]) -> None:
    with pytest.raises(Undecided):
        read(PANDALM | votes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (HH | {"chosen": "\n\nHuman: Ho\n\nAssistant: Hello"}, "differ before their last answer"),
        (HH | {"chosen": "Hello"}, "chosen: expected a dialogue that begins with Human:"),
        ({"prompt": 5, "chosen": "a", "rejected": "b"}, "prompt: expected a list of turns"),
        ({"prompt": [*HI, HELLO], "chosen": "a", "rejected": "b"}, "does not end on a turn"),
        ({"prompt": "Hi", "chosen": "a", "rejected": None}, "rejected: expected a list of turns"),
        ({"prompt": HI, "chosen": [HEY, *HI, HELLO], "rejected": "b"}, "does not begin with"),
        ({"messages": [*HI, *HI]}, "user and assistant do not take turns"),
        ({"messages": [HELLO]}, "user and assistant do not take turns"),
        ({"messages": [{"role": "user", "content": "  "}, HELLO]}, "a turn is empty"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role 'tool', expected user"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "not valid Unicode"),
        (PANDALM, "expected verdicts 0, 1 or 2"),
        (PANDALM | {"annotator1": "best"}, "expected verdicts 0, 1 or 2"),
        ({"input": "Hi", "output_1": "a", "output_2": "b", "label": "2"}, "the verdict is '2'"),
    ],
)
def test_a_line_that_does_not_follow_its_format_says_why(row: dict[str, Any], said: str) -> None:
    with pytest.raises(RowError, match=said):
        read(row)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "user", HH["chosen"]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries({}, optional={"role": inner, "content": inner})
    ),
    max_leaves=6,
)
KEYS = (
    ("chosen", "rejected", "prompt"), ("output_1", "output_2", "label", "input"),
    ("response1", "response2", "instruction", "annotator1", "annotator2"),
    ("messages",), ("instruction", "response", "context"), ("prompt",), ("text",),
)  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from(KEYS).flatmap(lambda keys: st.fixed_dictionaries(dict.fromkeys(keys, JSON))))
def test_whatever_a_line_holds_it_is_read_or_refused(row: dict[str, Any]) -> None:
    try:
        found = read(row)
    except (RowError, Undecided):
        return
    turns = found.prompt if isinstance(found, Pair) else found.messages
    assert all(turn["content"] and turn["role"] in {"user", "assistant"} for turn in turns)


def test_other_objects_are_not_recognised() -> None:
    assert rows.recognise({"question": "?", "answer": "!"}) is None
