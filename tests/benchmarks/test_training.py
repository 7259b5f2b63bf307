"""The benchmark of training runs and prints what it promises; how fast it is, it may say itself."""

import pytest

from tests.benchmarks.printed import figures_of

pytestmark = [pytest.mark.full, pytest.mark.slow, pytest.mark.real_data]


def test_training_is_measured_beside_bare_trl() -> None:
    figures = figures_of("training", "--model", "tiny", "--rounds", "1", "--steps", "4")

    assert figures["sft_ratio"] > 0
    assert figures["rm_ratio"] > 0
    assert set(figures["ppo"]) >= {
        "generate_s",
        "score_s",
        "update_s",
        "tokens",
        "peak_mib",
        "naive_peak_mib",
    }
