"""The embedded model's bundle: exported once into the user's cache, when no other bundle is named."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from runtime.arguments import check_callable
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, BundleError
from runtime.hashing import sha256_of
from runtime.launch import module_command
from runtime.locks import try_lock
from runtime.packages import PackageMissingError, check_exporter
from runtime.paths import cache_folder
from runtime.session import never

NAME = "falcon-tiny-instruct"
_MODEL = Path(__file__).resolve().parents[1] / "models" / "tiny"  # the packages lie side by side, installed or not
_CANCELLED = f"The export of the embedded model {NAME} was stopped; it goes on where it was when it is asked for again."
_POLL_SECONDS = 0.05  # between two looks at `cancelled`
_GRACE_SECONDS = 1.0  # from asking an export to stop to killing it

Notice = Callable[[str, float], None]
"""Told of an export's stage and the finished share of it, 0 to 1."""


def embedded_bundle(
    log: TextIO | None = None, *, notice: Notice | None = None, cancelled: Callable[[], bool] = never
) -> Path:
    """Folder of the embedded model's bundle; made by the exporter in a child process if it is not there yet.

    Of two starts at once the second waits for the first. A damaged bundle is made anew. What happens is written to
    `log` and told to `notice`. `cancelled` is asked twenty times a second, from a thread of its own while the exporter
    works; what was finished is kept for the next export. Raises BackendUnavailableError where nothing can be exported,
    BundleError where the export fails or was cancelled.
    """
    if notice is not None:
        check_callable("notice", notice)
    check_callable("cancelled", cancelled)
    log = io.StringIO() if log is None else log
    folder = embedded_folder()
    if _is_whole(folder):
        return folder
    try:
        check_exporter()
    except PackageMissingError as error:
        raise BackendUnavailableError(
            f"No bundle was named, and the embedded model has to be exported first. {error}"
        ) from None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder, log, cancelled):
            if not _is_whole(folder):
                if folder.exists():
                    shutil.rmtree(folder)
                _export(folder, log, notice, cancelled)
    except OSError as error:
        raise BundleError(
            f"{folder.parent} cannot be written ({error.strerror}); set FALCONET_CACHE to a folder that can be."
        ) from None
    return folder


def embedded_folder() -> Path:
    """Where the embedded model's bundle is or will be. Its name changes with the program and with the model."""
    return cache_folder().absolute() / "bundles" / f"{NAME}-{_version()}"


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
def _alone(folder: Path, log: TextIO, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of `folder`; whoever comes second waits for it."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        if not try_lock(lock):
            log.write(f"Waiting for another program that exports {NAME} ...\n")
            log.flush()
            while not try_lock(lock):
                if cancelled():
                    raise BundleError(_CANCELLED)
                time.sleep(_POLL_SECONDS)
        yield


def _export(folder: Path, log: TextIO, notice: Notice | None, cancelled: Callable[[], bool]) -> None:
    """Run the exporter and show how far it is. Raises BundleError with the exporter's own sentence."""
    begun = time.monotonic()
    live = log.isatty()
    start = f"Exporting the embedded model {NAME}, once"
    log.write(f"{start} ..." if live else f"{start} ...\n")
    log.flush()
    command = module_command("export", NAME, "--output", str(folder), "--progress", "json")
    reason, kind = "the exporter broke down.", None
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as child,
        _stopping(child, cancelled) as stopped,
    ):
        assert child.stderr is not None
        for line in child.stderr:
            event = _event(line)
            if event.get("event") == "error":
                reason, kind = str(event.get("message")), event.get("kind")
            elif (stage := _stage(event)) is not None:
                name, share = stage
                if notice is not None:
                    notice(name, share)
                if live:
                    log.write(f"\r\x1b[K{start}: {name} {share:.0%}")
                    log.flush()
    if live:
        log.write("\r\x1b[K")
    if stopped.is_set() and not _is_whole(folder):
        raise BundleError(_CANCELLED)
    if kind == "DiskError":
        raise BundleError(
            f"The disk of {folder.parent} has no room for the embedded model; free some space, or set FALCONET_CACHE "
            "to a folder on another disk."
        )
    if child.returncode or not _is_whole(folder):
        raise BundleError(f"The embedded model could not be exported: {reason} `python -m export {NAME}` shows more.")
    log.write(f"Exported the embedded model {NAME} in {time.monotonic() - begun:.0f} s to {folder}\n")
    log.flush()


@contextlib.contextmanager
def _stopping(child: subprocess.Popen[str], cancelled: Callable[[], bool]) -> Iterator[threading.Event]:
    """Ask `child` to stop when `cancelled` says so, and kill it where it does not. The event: it was asked."""
    stopped, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_SECONDS):
            if cancelled():
                stopped.set()
                child.send_signal(signal.SIGINT)
                if not over.wait(_GRACE_SECONDS):
                    child.kill()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    if cancelled is not never:
        watcher.start()
    try:
        yield stopped
    finally:
        over.set()


def _event(line: str) -> dict[str, Any]:
    """A line of the exporter's as data; nothing for a line that is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _stage(event: dict[str, Any]) -> tuple[str, float] | None:
    """The stage that an event tells of and the finished share of it; None for an event of another kind."""
    try:
        share = event["done"] / event["total"] if event["total"] else 0.0
        return str(event["stage"]), 1.0 if event["event"] == "finish" else min(share, 1.0)
    except (KeyError, TypeError):
        return None
