"""The report on samples: what is kept, what is summed up, and a page that says it as it is."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from training import report
from training.prompt_files import Prompt
from training.report import ModelReport, Output, Result

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script> & \"<b>\""


def prompt(text: str) -> Prompt:
    return Prompt(text, ({"role": "user", "content": text},), "en")


def outputs(*scores: float | None) -> list[Output]:
    return [Output(f"answer {place}", score=score) for place, score in enumerate(scores)]


@pytest.fixture
def reports() -> list[ModelReport]:
    prompts = [prompt("Why?"), prompt(HOSTILE)]
    return [
        ModelReport(
            name,
            prompts,
            [
                [Result("k50", {"temperature": 0.75}, outputs(1.0, 3.0))],
                [Result("k50", {"temperature": 0.75}, [Output(HOSTILE, ended=False, score=5.0)])],
            ],
        )
        for name in ("new", "old")
    ]


def test_best_of_all_presets_are_kept() -> None:
    results = [Result("a", {}, outputs(0.1, 0.9)), Result("b", {}, outputs(0.5, -1.0))]
    results[1].outputs[0].text = "another"

    report.keep_best(results, 2)

    assert [output.is_kept for result in results for output in result.outputs] == [0, 1, 1, 0]


def test_equal_texts_are_kept_once() -> None:
    result = Result("a", {}, [Output("same", score=2.0), Output("same", score=1.0)])

    report.keep_best([result], 2)

    assert [output.is_kept for output in result.outputs] == [True, False]


def test_unscored_answers_are_not_kept() -> None:
    result = Result("a", {}, outputs(None, None))

    report.keep_best([result], 1)

    assert not any(output.is_kept for output in result.outputs)


def test_json_has_the_shape_of_the_original(reports: list[ModelReport]) -> None:
    report.keep_best(reports[0].results[0], 1)

    found = report.to_json(reports[0], args={"count": 2}, now=NOW)

    assert list(found) == ["model_name", "date", "args", "prompts"]
    assert json.loads(json.dumps(found))["prompts"][0] == {
        "prompt": "Why?",
        "id": "Why?",
        "lang": "en",
        "results": [
            {
                "sampling_config": "k50",
                "sampling_params": {"temperature": 0.75},
                "outputs": ["answer 0", "answer 1"],
                "ended": [True, True],
                "scores": [1.0, 3.0],
                "kept": [1],
            }
        ],
    }


def test_summary_gives_means_with_their_interval(reports: list[ModelReport]) -> None:
    report.keep_best(reports[0].results[0], 1)

    row = report.summarise(reports)[0]

    assert (row["model"], row["preset"], row["n"], row["prompts"]) == ("new", "k50", 3, 2)
    assert row["score"] == {"value": 3.0, "low": 2.0, "high": 5.0, "n": 3}
    assert row["kept"] == {"mean": 3.0, "min": 3.0, "max": 3.0, "n": 1}
    assert row["rejected"] == {"mean": 3.0, "min": 1.0, "max": 5.0, "n": 2}
    assert row["ended"] == pytest.approx(2 / 3)


class Page(HTMLParser):
    """Notes every tag, and every address in an attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_page_shows_words_of_models_as_words(reports: list[ModelReport]) -> None:
    text = report.to_html(reports, name="first", now=NOW, summary=report.summarise(reports))

    page = Page(text)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.links == []
    assert text.count("&lt;script&gt;") == 3
    assert "cut off" in text


def test_page_marks_the_best_only_where_there_is_a_choice(reports: list[ModelReport]) -> None:
    for each in reports:
        for results in each.results:
            report.keep_best(results, 1)

    text = report.to_html(reports, name="first", now=NOW, summary=report.summarise(reports))

    assert text.count("<strong>Kept") == text.count('class="output kept"') == 2
