"""Which words two texts share: parts that make up each text, and the share in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app import differences
from tasks_app.differences import Part, TooLong, compare


def marked(parts: list[Part]) -> str:
    """The parts as text, in brackets what only this text has."""
    return "".join(part.text if part.is_shared else f"[{part.text}]" for part in parts)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("The same.", "The same.", ("The same.", "The same.")),
        ("Bake it hot.", "Bake it very hot.", ("Bake it hot.", "Bake it [very ]hot.")),
        ("One two three", "one two four", ("[One ]two [three]", "[one ]two [four]")),
        ("Yes", "No", ("[Yes]", "[No]")),
        ("a\n\nb", "a b", ("a\n\nb", "a b")),  # white space alone is no difference
        ("Ends here", "Ends here!", ("Ends here", "Ends here[!]")),
        ("今日は晴れ", "今日は雨", ("今日は[晴れ]", "今日は[雨]")),
        ("ສະບາຍດີ", "ສະບາຍດີ໑", ("ສະບາຍດີ", "ສະບາຍດີ[໑]")),
        ("𠀀𠀁", "𠀀𠀂", ("𠀀[𠀁]", "𠀀[𠀂]")),
        ("한국은", "한국을", ("한국[은]", "한국[을]")),
        ("", "New", ("", "[New]")),
    ],
)
def test_words_of_one_text_only_are_marked(
    first: str, second: str, expected: tuple[str, str]
) -> None:
    found = compare(first, second)

    assert (marked(found.first), marked(found.second)) == expected


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [("a b c d", "a b c d", 1), ("a b c d", "a b x y", 0.5), ("a", "b", 0), ("", "", 1)],
)
def test_share_counts_the_words_of_both(first: str, second: str, shared: float) -> None:
    assert compare(first, second).shared == shared


@given(st.text(max_size=60), st.text(max_size=60))
def test_parts_make_up_the_texts(first: str, second: str) -> None:
    found = compare(first, second)

    assert "".join(part.text for part in found.first) == first.strip()
    assert "".join(part.text for part in found.second) == second.strip()
    shared = [
        ["".join(part.text.split()) for part in parts if part.is_shared]
        for parts in (found.first, found.second)
    ]
    assert "".join(shared[0]) == "".join(shared[1])


def test_texts_of_a_book_are_not_compared() -> None:
    longest = "word " * differences.MOST_WORDS

    assert compare(longest, longest).shared == 1
    with pytest.raises(TooLong):
        compare("Short.", longest + "more")
