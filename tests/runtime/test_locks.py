"""Locks: one process has them, and disks that know none keep nobody from working."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime.locks import try_lock

fcntl = pytest.importorskip("fcntl")


def test_what_another_has_locked_is_not_taken_until_it_lets_go(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as mine:
        with (tmp_path / "lock").open("w") as other:
            assert try_lock(other)
            assert not try_lock(mine)
        assert try_lock(mine)


@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.ENOTSUP, errno.EIO])
def test_a_disk_without_locks_is_worked_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (tmp_path / "lock").open("w") as lock:
        if reason == errno.EIO:
            with pytest.raises(OSError, match=os.strerror(reason)):
                try_lock(lock)
        else:
            assert try_lock(lock)
