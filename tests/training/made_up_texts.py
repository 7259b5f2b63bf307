"""Spam and questions: a few telling words among others that are drawn from letters."""

import random
from string import ascii_lowercase

from training.spam import Example

_TELLING = {
    True: "free prize claim winner cash urgent txt ringtone".split(),
    False: "how explain write people should difference why because".split(),
}


def made_up(*, spam: int = 120, other: int = 500) -> list[Example]:
    """Spam first, no two alike."""
    rng = random.Random(7)
    kinds = [True] * spam + [False] * other
    return [Example(_text(is_spam, rng), is_spam, "made up") for is_spam in kinds]


def _text(is_spam: bool, rng: random.Random) -> str:
    words = rng.sample(_TELLING[is_spam], 3) + [_word(rng) for _ in range(6)]
    rng.shuffle(words)
    end = f"! Call 0906{rng.randrange(10**6):06}" if is_spam else "?"
    return " ".join(words) + end


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(ascii_lowercase, k=rng.randint(3, 7)))
