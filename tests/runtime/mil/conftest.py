"""The package that tests of programs open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.mil.sample import make_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `make_package`; not to be changed."""
    return make_package(tmp_path_factory.mktemp("program"))
