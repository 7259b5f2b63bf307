"""Parameters that nobody may set."""

from typing import Any

import pytest

from chat_app.inference.sampling import InvalidParameters, SamplingParameters


@pytest.mark.parametrize(
    "stop", ["\n", "###", ["end", 5], [""], ["x" * 65], ["a\x00b"], ["\ud800"], ["x"] * 9]
)
def test_stop_texts_that_are_none_are_refused_by_name(stop: Any) -> None:
    with pytest.raises(InvalidParameters, match=r"^stop: "):
        SamplingParameters.from_dict({"stop": stop})


def test_stop_texts_are_kept_as_they_are() -> None:
    parameters = SamplingParameters.from_dict({"stop": ["\n\n", " end"]})

    assert parameters.stop == ("\n\n", " end")
    assert SamplingParameters.from_dict(parameters.to_dict()) == parameters
