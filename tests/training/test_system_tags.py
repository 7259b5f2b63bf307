"""Lines that say how an answer is, before it."""

from dataclasses import replace

from tasks_app.export_format import LabelMean, MessageNode
from training import system_tags
from training.config import SystemTagsConfig

ALL = SystemTagsConfig(dropout=0.0)
PROMPT = MessageNode("p", text="Tell me a joke", lang="en")
LABELS = {"quality": LabelMean(0.75, 3), "humor": LabelMean(0.04, 3), "spam": LabelMean(0.0, 3)}
JOKE = MessageNode("a", text="one two three four five", role="assistant", lang="en", labels=LABELS)
TURNS = [{"role": "user", "content": PROMPT.text}, {"role": "assistant", "content": JOKE.text}]


def tags(config: SystemTagsConfig, *, seed: int = 0, node: MessageNode = JOKE) -> str:
    """What stands before the answer; "" if nothing does."""
    turns = system_tags.insert(TURNS, [PROMPT, node], config, seed=seed)
    assert [turn for turn in turns if turn["role"] != "system"] == TURNS
    return turns[1]["content"] if turns[1]["role"] == "system" else ""


def test_tags_stand_between_question_and_answer_in_an_order_of_chance() -> None:
    orders = {tags(ALL, seed=seed) for seed in range(20)}

    wanted = ["humor: 0.0", "lang: en", "length: 2", "quality: 0.8"]
    assert {tuple(sorted(order.splitlines())) for order in orders} == {tuple(wanted)}
    assert len(orders) > 5
    assert tags(ALL) == tags(ALL)


def test_each_tag_is_left_out_about_as_often_as_asked() -> None:
    half = replace(ALL, dropout=0.5)

    kept = [len(tags(half, seed=seed).splitlines()) for seed in range(400)]

    assert 1.8 < sum(kept) / len(kept) < 2.2
    assert tags(replace(ALL, dropout=1.0)) == ""


def test_what_was_not_labelled_is_not_told() -> None:
    plain = MessageNode("b", text="Hi", role="assistant")

    assert tags(replace(ALL, length=False), node=plain) == ""
    assert tags(ALL, node=plain) == "length: 1\n"
