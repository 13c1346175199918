"""Shared by all tests: a cache of their own, and small checkpoints and bundles that are made once a session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported: with matrices this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before triton is imported: without a card, the kernels for one run in its interpreter, here and in what tests start.
if not Path("/dev/nvidiactl").exists():
    os.environ["TRITON_INTERPRET"] = "1"

# A job in the background inherits that Ctrl-C is ignored, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing of what a test is about; a busy machine would fail it.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

Checkpoints = Callable[[str], Path]
Bundles = Callable[[str, str], Path]

_MAX_KL = {("rw", "lut4"): 0.5}  # random weights lose more to 4 bits than trained ones


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once for all of xdist's workers."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Iterator[Path]:
    """Nothing is written to the user's cache, by this process or by those that it starts.

    The embedded model's bundle, which takes some 20 seconds, is made once for all workers.
    """
    folder = tmp_path_factory.mktemp("cache")
    if sys.platform != "win32":  # where a link needs rights that users lack
        shared = shared_folder / "embedded-model" / "bundles"
        shared.mkdir(parents=True, exist_ok=True)
        (folder / "bundles").symlink_to(shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCONET_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def checkpoints(shared_folder: Path) -> Checkpoints:
    """Folder of a random Falcon of a variant, with a tokenizer. Not to be changed: copy it."""
    from tests.tools import save_checkpoint

    def make(variant: str) -> Path:
        return _made_once(shared_folder / "checkpoints" / variant, lambda folder: save_checkpoint(variant, folder))

    return make


@pytest.fixture(scope="session")
def bundles(shared_folder: Path, checkpoints: Checkpoints) -> Bundles:
    """Bundle of a variant in a format. Not to be changed: copy it."""
    from tests.tools import export_bundle

    def make(variant: str, weights: str) -> Path:
        checkpoint, max_kl = checkpoints(variant), _MAX_KL.get((variant, weights))
        made = _made_once(
            shared_folder / "bundles" / f"{variant}-{weights}",
            lambda folder: export_bundle(checkpoint, folder, weights=weights, max_kl=max_kl),
        )
        made.chmod(0o555)  # a Mac's Core ML keeps what it compiles in the bundle, or in the cache where it cannot
        return made

    return make


def _made_once(folder: Path, make: Callable[[Path], Path]) -> Path:
    """`folder`, made by the first of the workers that asks for it while the others wait."""
    from filelock import FileLock

    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            make(folder.with_name(f"{folder.name}.being-made")).rename(folder)
    return folder


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
    if shutil.which("mount") is None or not Path("/proc").exists() or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
