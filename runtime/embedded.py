"""The embedded model's bundle: exported once into the user's cache, when no other bundle is named."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, BundleError
from runtime.hashing import sha256_of
from runtime.paths import cache_folder

NAME = "falcon-tiny-instruct"
_ROOT = Path(__file__).resolve().parents[1]  # the packages lie side by side, installed or not
_MODEL = _ROOT / "models" / "tiny"
_NEEDED = ("coremltools", "torch", "numba", "safetensors")


def embedded_bundle(log: TextIO) -> Path:
    """Folder of the embedded model's bundle; made by the exporter in a child process if it is not there yet.

    Of two starts at once the second waits for the first. A damaged bundle is made anew. What happens is written to
    `log`. Raises BackendUnavailableError where nothing can be exported, BundleError where the export fails.
    """
    folder = cache_folder().absolute() / "bundles" / f"{NAME}-{_version()}"
    if _is_whole(folder):
        return folder
    if sys.platform == "win32":
        raise BackendUnavailableError(
            "No bundle was named, and Core ML packages cannot be written on Windows: export one on macOS or Linux (WSL "
            "will do) and name its folder."
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailableError(
            f"No bundle was named, and the embedded model cannot be exported without {missing[0]}: "
            "name a bundle, or `pip install 'falconet[export]'`."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder, log):
            if not _is_whole(folder):
                if folder.exists():
                    shutil.rmtree(folder)
                _export(folder, log)
    except OSError as error:
        raise BundleError(
            f"{folder.parent} cannot be written ({error.strerror}); set FALCONET_CACHE to a folder that can be."
        ) from None
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        Bundle.open(folder)
    except BundleError:
        return False
    return True


def _version() -> str:
    """The program's version and a hash of the model's files: another of either is another bundle."""
    try:
        version = importlib.metadata.version("falconet")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        version = "source"
    digest = hashlib.sha256()
    for file in sorted([*_MODEL.glob("*.json"), *_MODEL.glob("*.safetensors")]):
        digest.update(f"{sha256_of(file)}  {file.name}\n".encode())
    return f"{version}-{digest.hexdigest()[:8]}"


@contextlib.contextmanager
def _alone(folder: Path, log: TextIO) -> Iterator[None]:
    """Hold the lock of `folder`; whoever comes second waits for it."""
    import fcntl

    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.write(f"Waiting for another program that exports {NAME} ...\n")
            log.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _export(folder: Path, log: TextIO) -> None:
    """Run the exporter and show how far it is. Raises BundleError with the exporter's own sentence."""
    begun = time.monotonic()
    live = log.isatty()
    start = f"Exporting the embedded model {NAME}, once"
    log.write(f"{start} ..." if live else f"{start} ...\n")
    log.flush()
    command = [sys.executable, "-m", "export", NAME, "--output", str(folder), "--progress", "json"]
    reason = "the exporter broke down."
    with subprocess.Popen(
        command,
        cwd=_ROOT,  # a file called export.py where the user happens to be must not be run instead
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            event = _event(line)
            if event.get("event") == "error":
                reason = str(event.get("message"))
            elif live and (stage := _stage(event)):
                log.write(f"\r\x1b[K{start}: {stage}")
                log.flush()
    if live:
        log.write("\r\x1b[K")
    if child.returncode or not _is_whole(folder):
        raise BundleError(f"The embedded model could not be exported: {reason} `python -m export {NAME}` shows more.")
    log.write(f"Exported the embedded model {NAME} in {time.monotonic() - begun:.0f} s to {folder}\n")
    log.flush()


def _event(line: str) -> dict[str, Any]:
    """A line of the exporter's as data; nothing for a line that is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _stage(event: dict[str, Any]) -> str | None:
    """What an event says of a stage, for people; None for an event of another kind."""
    try:
        share = event["done"] / event["total"] if event["total"] else 0.0
        return f"{event['stage']} {1.0 if event['event'] == 'finish' else share:.0%}"
    except (KeyError, TypeError):
        return None
