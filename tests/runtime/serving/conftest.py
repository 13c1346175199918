"""One engine and one server for the tests that leave them as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.engines.batch import BatchEngine
from runtime.engines.local import LocalEngine
from tests.runtime.bundles import talker
from tests.runtime.serving.running import RunningServer


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    """The same model, one answer at a time: what answers have to be."""
    with LocalEngine.open(talker(), backend="torch") as opened:
        yield opened


@pytest.fixture(scope="module")
def batch() -> Iterator[BatchEngine]:
    with BatchEngine.open(talker(), backend="torch", most_answers=8) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(batch: BatchEngine) -> Iterator[RunningServer]:
    with RunningServer(batch) as running:
        yield running
