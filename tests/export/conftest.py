"""A Hub on this machine and an empty cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from export.hub import Hub
from tests.export.hub_server import FILES, SPARE, HubServer


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer(FILES | SPARE) as server:
        yield server


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    return Hub(endpoint=server.endpoint, cache=tmp_path / "cache", pause=0.0)
