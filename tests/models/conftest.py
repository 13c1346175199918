"""Fixtures of the models' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from tests.models.stored import FORMS, KINDS, run_kernels_of


@pytest.fixture(params=KINDS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose kernels multiply."""
    run_kernels_of(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
