"""Whatever is killed, stopped or restarted: nothing that the site took is lost or stuck."""

from typing import Any

import pytest

from tests.benchmarks.printed import figures_of

pytestmark = [pytest.mark.slow, pytest.mark.full]

PATIENCE_S = 1800


def play(scenario: str, **options: Any) -> dict[str, Any]:
    words = [f"--{name}={value}" for name, value in options.items()]
    printed = figures_of("faults", "--scenarios", scenario, *words, patience_s=PATIENCE_S)
    figures: dict[str, Any] = printed[scenario]
    return figures


def check(figures: dict[str, Any]) -> None:
    """What holds after every fault."""
    lost = ("lost_answers", "lost_texts", "texts_stored_twice", "lost_chats", "stuck_replies")
    assert {name: figures[name] for name in lost} == dict.fromkeys(lost, 0), figures
    wrong = ("given_up", "wrongs", "broken_rules", "failures", "strays")
    assert {name: figures[name] for name in wrong} == {name: [] for name in wrong}, figures
    assert figures["replies_not_as_shown"] == 0, figures
    assert set(figures["chat_states"]) <= {"done", "interrupted"}, figures
    assert figures["jobs_run"], figures
    assert figures["answers"] > 0
    assert figures["chats"] > 0


def test_programs_that_are_killed_lose_nothing_and_are_back_soon() -> None:
    figures = play("kill", times=18)

    check(figures)
    assert set(figures["troubles"]) <= {
        "ConnectionError",
        "ChunkedEncodingError",
        "ReadTimeout",
        "503",
    }


def test_without_redis_pages_go_on_and_nothing_is_lost() -> None:
    figures = play("redis", times=3, **{"outage-s": 60})

    check(figures)
    assert figures["troubles"] == {}


def test_while_postgresql_stalls_pages_say_so_soon_and_recover() -> None:
    figures = play("database", times=5, **{"outage-s": 20})

    check(figures)
    assert set(figures["troubles"]) <= {"503"}


def test_restarts_one_after_the_other_fail_no_request() -> None:
    figures = play("shutdown", times=7)

    check(figures)
    assert set(figures["troubles"]) <= {"ConnectionError"}
    assert figures["close_codes"] == {"1012": 7}
