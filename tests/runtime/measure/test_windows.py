"""Which tokens are scored, and with how much before them."""

from __future__ import annotations

import pytest

from runtime.errors import OptionError
from runtime.measure.windows import Window, make_windows


def test_windows_side_by_side_are_llama_cpps() -> None:
    windows = make_windows(1300, context=512)
    assert windows == [Window(0, 257, 512), Window(512, 769, 1024)]  # a rest of 276 is left out
    assert [window.count for window in windows] == [255, 255]
    assert [window.fed for window in windows] == [511, 511]


@pytest.mark.parametrize(("tokens", "context", "stride"), [(100, 32, 8), (97, 32, 31), (20, 64, 1), (64, 64, 32)])
def test_a_sliding_window_scores_every_token_but_the_first_once(tokens: int, context: int, stride: int) -> None:
    windows = make_windows(tokens, context=context, stride=stride)
    scored = [at for window in windows for at in range(window.scored, window.end)]
    assert scored == list(range(1, tokens))
    for window in windows:
        assert window.end - window.begin <= context
        assert window.scored - window.begin >= (context - stride if window.begin else 1)


@pytest.mark.parametrize(
    ("tokens", "context", "stride", "sentence"),
    [
        (100, 3, None, "--context must be at least 4, not 3."),
        (511, 512, None, "The text has 511 tokens and one window takes 512"),
        (0, 512, None, "The text has 0 tokens"),
        (100, 32, 0, "--stride must be from 1 to 31, below --context, not 0."),
        (100, 32, 32, "--stride must be from 1 to 31"),
        (1, 32, 8, "The text is too short"),
    ],
)
def test_what_makes_no_window_is_one_sentence(tokens: int, context: int, stride: int | None, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence.replace("(", r"\(")):
        make_windows(tokens, context=context, stride=stride)
