"""Shared by all tests: a cache of their own, and small checkpoints and bundles that are made once a session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before torch is imported: with matrices this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A job in the background inherits that Ctrl-C is ignored, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

Checkpoints = Callable[[str], Path]
Bundles = Callable[[str, str], Path]

_MAX_KL = {("rw", "lut4"): 0.5}  # random weights lose more to 4 bits than trained ones


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing is written to the user's cache, by this process or by those that it starts."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCONET_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Folder of a random Falcon of a variant, with a tokenizer. Not to be changed: copy it."""
    from tests.tools import save_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints")
    made: dict[str, Path] = {}

    def make(variant: str) -> Path:
        if variant not in made:
            made[variant] = save_checkpoint(variant, folder / variant)
        return made[variant]

    return make


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, checkpoints: Checkpoints) -> Bundles:
    """Bundle of a variant in a format. Not to be changed: copy it."""
    from tests.tools import export_bundle

    folder = tmp_path_factory.mktemp("bundles")
    made: dict[tuple[str, str], Path] = {}

    def make(variant: str, weights: str) -> Path:
        key = (variant, weights)
        if key not in made:
            output = folder / f"{variant}-{weights}"
            made[key] = export_bundle(checkpoints(variant), output, weights=weights, max_kl=_MAX_KL.get(key))
        return made[key]

    return make


@pytest.fixture
def bundle_folder(bundles: Bundles, tmp_path: Path) -> Path:
    """A bundle of one's own, to be damaged."""
    from tests.tools import copy_bundle

    return copy_bundle(bundles("7b", "lut4"), tmp_path / "bundle")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
