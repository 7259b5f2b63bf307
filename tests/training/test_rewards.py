"""Rules that score a text, for runs without a reward model."""

import pytest

from training import rewards
from training.config import ConfigError


@pytest.mark.parametrize(
    ("name", "text", "score"),
    [
        ("letters", "ab1 ", 0.5),
        ("letters", "", 0.0),
        ("vowels", "Oaken", 0.4),
        ("short", "x" * 25, 0.75),
        ("short", "x" * 200, -1.0),
        ("long", "x" * 25, 0.25),
    ],
)
def test_a_rule_scores_a_text(name: str, text: str, score: float) -> None:
    assert rewards.rule(f"rule:{name}")(text) == pytest.approx(score)


def test_an_unknown_rule_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="rule:kind, expected rule: and one of letters, vowels"):
        rewards.rule("rule:kind")
