"""A model to be measured: a bundle on a backend, or a Hugging Face checkpoint in torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import open_backend, unavailable_reason
from runtime.backends.threads import suit_threads
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, BundleError
from runtime.manifest import MANIFEST_NAME
from runtime.tokenizer import Tokenizer

_LOAD_SECONDS = 10.0  # of loading again and again


@dataclass(frozen=True)
class OpenModel:
    """What scores, under the name that people know it by."""

    name: str
    backend: Backend[Any]
    tokenizer: Tokenizer


def open_model(folder: Path, *, backend: str | None = None, compute_units: str | None = None) -> OpenModel:
    """Load the bundle or the checkpoint in `folder`. `compute_units` are for bundles, and `backend` too but for cuda.

    Raises BundleError, CheckpointError, TokenizerError, BackendUnavailableError or OptionError.
    """
    if not is_checkpoint(folder):
        bundle = Bundle.open(folder)
        tokenizer = Tokenizer.open(folder)
        return OpenModel(bundle.manifest.name, open_backend(bundle, backend, compute_units=compute_units), tokenizer)
    on_cards = backend == "cuda"
    reason = unavailable_reason("cuda" if on_cards else "torch")
    if reason:
        raise BackendUnavailableError(f"A checkpoint runs in torch{' on a card' if on_cards else ''}, and {reason}.")
    from runtime.backends.checkpoint import open_checkpoint, open_checkpoint_on_cards

    opened: Backend[Any] = open_checkpoint_on_cards(folder) if on_cards else open_checkpoint(folder)
    return OpenModel(folder.resolve().name, opened, Tokenizer.open(folder))


def is_checkpoint(folder: Path) -> bool:
    """Whether `folder` holds a checkpoint rather than a bundle. Raises BundleError where it is neither."""
    if (folder / MANIFEST_NAME).exists():
        return False
    if (folder / "config.json").exists():
        return True
    raise BundleError(
        f"{folder} is neither a bundle, which has a {MANIFEST_NAME}, nor a checkpoint, which has a config.json."
    )


def load_repeatedly(
    bundle: Bundle, times: int, *, backend: str | None, compute_units: str | None
) -> tuple[Backend[Any], tuple[float, ...]]:
    """A backend, and the seconds that each load of it took: `times` of them, or as many as ten seconds hold.

    The first load includes importing the framework and reading the file from disk. Raises as `open_backend`.
    """
    seconds: list[float] = []
    while True:
        begun = time.perf_counter()
        opened = open_backend(bundle, backend, compute_units=compute_units)
        seconds.append(time.perf_counter() - begun)
        if len(seconds) >= times or sum(seconds) + seconds[-1] > _LOAD_SECONDS:
            suit_threads(bundle, opened)  # as where answers are written
            return opened, tuple(seconds)
        opened.close()
        del opened
