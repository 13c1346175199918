"""A Hub on this machine and an empty cache; the command line in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from export.hub import Hub
from tests.export.hub_server import FILES, SPARE, HubServer
from tests.export.program import Run


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer(FILES | SPARE) as server:
        yield server


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    return Hub(endpoint=server.endpoint, cache=tmp_path / "cache", pause=0.0)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Run(capsys)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a bundle may go, in a folder that holds nothing else."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "bundle"
