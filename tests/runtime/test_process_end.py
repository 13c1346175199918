"""What a process that did not leave by itself died of, by its exit code."""

from __future__ import annotations

import pytest

from runtime.process_end import crash_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-9, "SIGKILL"),
        (-11, "SIGSEGV"),
        (-250, "signal 250"),
        (3221225477, "0xC0000005"),  # Windows: access violation
        (3221226505, "0xC0000409"),  # and abort()
        (0, None),
        (1, None),
        (255, None),
    ],
)
def test_an_exit_code_is_named_as_people_look_it_up(code: int, name: str | None) -> None:
    assert crash_name(code) == name
