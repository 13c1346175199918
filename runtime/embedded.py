"""The embedded model's bundle: exported once into the user's cache, when no other bundle is named."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from runtime.errors import BackendUnavailableError, BundleError
from runtime.paths import cache_folder

NAME = "falcon-tiny-instruct"


def embedded_bundle(log: TextIO) -> Path:
    """Folder of the embedded model's bundle; made by the exporter in a child process if it is not there yet.

    Raises BackendUnavailableError where the exporter is not installed, BundleError where it fails.
    """
    version = importlib.metadata.version("falconet")
    folder = cache_folder() / "bundles" / f"{NAME}-{version}"
    if (folder / "manifest.json").exists():
        return folder
    missing = [name for name in ("coremltools", "torch", "numba") if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailableError(
            f"No bundle was named, and the embedded model cannot be exported without {missing[0]}: "
            "name a bundle, or `pip install 'falconet[export]'`."
        )
    log.write(f"Exporting the embedded model {NAME} once, to {folder}\n")
    log.flush()
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "export", NAME, "--output", str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=log, check=False)
    if done.returncode:
        raise BundleError(f"The embedded model could not be exported; run `{' '.join(command[1:])}` to see why.")
    return folder
