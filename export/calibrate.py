"""Calibration: what the model itself feeds into each matrix on a text, kept in files.

It says how much each input column matters, and which columns can make up for each other's rounding.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from export.progress import Progress
from export.reference import ReferenceModel, WeightReader
from models.compressed import mapped_tensor
from models.config import FalconConfig
from models.errors import CheckpointError
from runtime.bounded import read_bounded
from runtime.errors import OptionError

_SEQUENCE = 256  # tokens
CALIBRATION_TOKENS = 2048  # of the text that are used
_LEAST_TOKENS = 64
_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"
_STATE = "state.npz"  # how many layers have run, and what the last of them gave
_ROWS = 256  # summed up at a time


class Calibration:
    """Recorded inputs of matrices; of none without a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def inputs(self, name: str) -> Tensor | None:
        """What went into matrix `name`, [tokens, I] in float16, up to a common factor; None where nothing was."""
        array = self._array(name)
        return None if array is None else mapped_tensor(array)

    def importance(self, name: str) -> npt.NDArray[np.float32] | None:
        """Mean square of each input column [I]: what its errors weigh, Σ E[x_i²] e_i², when columns are unrelated."""
        array = self._array(name)
        if array is None:
            return None
        total = np.zeros(array.shape[1])  # by numpy, whose sums do not depend on the number of threads
        for first in range(0, len(array), _ROWS):
            total += np.square(array[first : first + _ROWS], dtype=np.float64).sum(0)
        return (total / len(array)).astype(np.float32) if total.any() else None  # never fed: rounded like all else

    def _array(self, name: str) -> npt.NDArray[np.float16] | None:
        file = self._folder / f"{name}.npy" if self._folder else None
        return np.load(file, mmap_mode="r") if file and file.exists() else None


@dataclass(frozen=True)
class CalibrationText:
    """A text that was read from `file`, once: that may be a pipe."""

    file: Path
    data: bytes

    @classmethod
    def read(cls, file: Path) -> CalibrationText:
        """Raises OptionError where `file` cannot be read."""
        try:
            return cls(file, read_bounded(file))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            said = error.strerror if isinstance(error, OSError) else error
            raise OptionError(f"--calibrate {file} cannot be read ({said}); name a text file.") from None

    @property
    def hash(self) -> str:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def sequences(self, tokenizer: Tokenizer, context_length: int) -> list[list[int]]:
        """The first 2,048 tokens in sequences of 256. Raises OptionError for a text that is no use."""
        try:
            text = self.data.decode("utf-8")
        except UnicodeDecodeError:
            raise OptionError(f"--calibrate {self.file} is not a UTF-8 text file; name one.") from None
        ids = tokenizer.encode(text, add_special_tokens=False).ids[:CALIBRATION_TOKENS]
        if len(ids) < _LEAST_TOKENS:
            raise OptionError(f"--calibrate {self.file} has {len(ids)} tokens; name a text of some hundreds or more.")
        length = min(_SEQUENCE, context_length)
        return [ids[first : first + length] for first in range(0, len(ids), length)]


def record(
    config: FalconConfig, reader: WeightReader, sequences: Sequence[Sequence[int]], folder: Path, progress: Progress
) -> Calibration:
    """Run the model, a few rows of a matrix in memory at a time, and keep what goes into each matrix in `folder`.

    A tied head's input is kept under the embedding's name: only as the head does that matrix meet activations. What was
    stopped goes on after the last whole layer, from a folder beside it.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    first, hidden = _read_state(partial)

    def observe(name: str, inputs: Sequence[Tensor]) -> None:
        stored = _EMBEDDING if name == _HEAD and config.tie_word_embeddings else name
        _save_scaled(partial / f"{stored}.npy", name, inputs)

    def layer_done(done: int, hidden: Tensor) -> None:
        unfinished = partial / f"partial-{_STATE}"
        np.savez(unfinished, done=done, hidden=hidden.numpy())
        unfinished.replace(partial / _STATE)
        progress.advance(done)

    progress.start("calibrate", config.num_layers, "layers")
    progress.advance(first)
    ReferenceModel(config, reader).observe(sequences, observe, layer_done, first=first, hidden=hidden)
    progress.finish()
    (partial / _STATE).unlink()
    partial.rename(folder)
    return Calibration(folder)


def _read_state(partial: Path) -> tuple[int, Tensor | None]:
    """Layers that an earlier run finished, and what the last of them gave."""
    if not (partial / _STATE).exists():
        return 0, None
    with np.load(partial / _STATE) as state:
        return int(state["done"]), torch.from_numpy(state["hidden"])


def _save_scaled(file: Path, name: str, inputs: Sequence[Tensor]) -> None:
    """Write `inputs` [n, I] of matrix `name` as one array of float16 with a largest magnitude of 1."""
    ends = [float(end) for x in inputs for end in x.aminmax()]
    if not all(map(math.isfinite, ends)):
        raise CheckpointError(
            f"{name} is fed NaN or infinity when the model runs on the calibration text: "
            "a weight before it is damaged; fetch the checkpoint again."
        )
    largest = max(*map(abs, ends), torch.finfo(torch.float32).tiny)
    shape = (sum(map(len, inputs)), inputs[0].shape[1])
    with file.open("wb") as stream:  # a sequence at a time: a wide layer's inputs are large
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f2", "fortran_order": False, "shape": shape})
        for x in inputs:
            stream.write((x / largest).half().numpy().tobytes())
