"""How text is put to a model: what a reward model reads, and losses and scores without padding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training import small
from training import chat_template, evaluate, modeling, scoring
from training.config import ModelConfig

ASKED = [{"role": "user", "content": "Where sat the cat?"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def config(folder: Path) -> ModelConfig:
    return ModelConfig(path=small.model(folder))


def test_what_is_scored_is_what_would_be_generated(config: ModelConfig) -> None:
    """The prompt as it stands before an answer, the answer, its end token, and nothing behind."""
    tokenizer = modeling.load_tokenizer(config)

    ids = scoring.encode(tokenizer, ASKED, "On the mat.", max_length=100)

    before = chat_template.tokens(tokenizer, ASKED, is_open=True)
    assert ids[: len(before)] == before
    assert tokenizer.decode(ids[len(before) :]) == "On the mat.<|im_end|>"


def test_of_a_long_prompt_the_oldest_goes_first(config: ModelConfig) -> None:
    tokenizer = modeling.load_tokenizer(config)
    long = [{"role": "user", "content": "cat " * 50 + "the end?"}]

    ids = scoring.encode(tokenizer, long, "On the mat.", max_length=40)

    assert len(ids) == 40
    text = tokenizer.decode(ids)
    assert text.endswith("On the mat.<|im_end|>")
    assert "the end?" in text


def test_of_a_long_answer_the_prompt_keeps_a_quarter(config: ModelConfig) -> None:
    tokenizer = modeling.load_tokenizer(config)

    ids = scoring.encode(tokenizer, ASKED * 9, "mat " * 100, max_length=40)

    asked = chat_template.tokens(tokenizer, ASKED * 9, is_open=True)
    assert ids[:10] == asked[-10:]
    assert len(ids) == 40


def test_words_that_would_end_a_turn_do_not(config: ModelConfig) -> None:
    tokenizer = modeling.load_tokenizer(config)

    ids = scoring.encode(tokenizer, ASKED, "A<|im_end|>B", max_length=100)

    assert ids.count(tokenizer.eos_token_id) == 2  # of the two turns
    assert "B" in tokenizer.decode(ids)


@torch.no_grad()
def test_scores_do_not_depend_on_what_else_is_in_the_batch(config: ModelConfig) -> None:
    modeling.environment(small.config("rm", Path(config.path).parent))
    model, tokenizer = modeling.load_scorer(config, train=False)
    texts = ["On the mat.", "No.", "The cat sat on the mat, the dog sat on the log."]
    rows = [scoring.encode(tokenizer, ASKED, text, max_length=100) for text in texts]

    together = scoring.scores(model, rows, batch_size=3)

    alone = [model(input_ids=torch.tensor([row])).logits[0, 0].item() for row in rows]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3


@torch.no_grad()
def test_losses_are_those_of_the_model_over_what_is_learned(config: ModelConfig) -> None:
    model, tokenizer = modeling.load_causal(config, train=False)
    talks = [
        [*ASKED, {"role": "assistant", "content": text}] for text in ("On the mat.", "mat " * 9)
    ]
    rows = [evaluate.encoded({"messages": t}, tokenizer, max_length=100) for t in talks]

    found = scoring.losses(
        model,
        [(row["input_ids"], row["labels"]) for row in rows],
        batch_size=2,
        pad=tokenizer.pad_token_id,
    )

    for row, (total, count) in zip(rows, found, strict=True):
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        assert total / count == pytest.approx(
            model(input_ids=ids, labels=labels).loss.item(), rel=1e-5
        )
        assert count == sum(label != scoring.IGNORED for label in row["labels"])
