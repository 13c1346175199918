"""Checkpoint: a Falcon in Hugging Face's layout on disk, mapped, its tensors checked by name and shape when opened."""

from __future__ import annotations

import json
import pickle
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.config import FalconConfig
from models.errors import CheckpointError
from models.falcon import Falcon, position_tables
from models.layouts import LAYOUTS

_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_ZIP = b"PK\x03\x04"
_DERIVED = (".rotary.inv_freq", ".rotary_emb.inv_freq")  # early files may hold these; they follow from the config
_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"


class Checkpoint:
    """Tensors by name. Nothing but headers is read until `tensor` is called, unless a file is in torch's legacy format,
    which cannot be mapped."""

    def __init__(self, folder: Path, config: FalconConfig, shards: Mapping[str, _Shard]) -> None:
        self.folder = folder
        self.config = config
        self._shards = shards

    @classmethod
    def open(cls, folder: str | Path) -> Checkpoint:
        """Open a folder with config.json and safetensors or pytorch_model*.bin files, single or sharded.

        Raises CheckpointError, which names the file or tensor, when one is missing, spare, damaged or mis-shaped.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is not a folder; name one that holds a Falcon's config.json and weights.")
        config = FalconConfig.open(folder)
        shards: dict[str, _Shard] = {}
        for file in _weight_files(folder):
            shard = _SafetensorsShard(file) if file.suffix == ".safetensors" else _PickleShard(file)
            for name in shard.shapes:
                if name in shards:
                    raise CheckpointError(f"Tensor {name} is in two files of {folder}; remove the wrong one.")
                shards[name] = shard
        checkpoint = cls(folder, config, {name: s for name, s in shards.items() if not name.endswith(_DERIVED)})
        checkpoint._check()
        return checkpoint

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards)

    def files(self) -> list[Path]:
        """The weight files, in a fixed order."""
        return sorted({shard.file for shard in self._shards.values()})

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, from its file's header."""
        return self._shards[name].shapes[name]

    def tensor(self, name: str) -> Tensor:
        """One tensor in its stored type, mapped from its file where the format allows."""
        return self._shards[name].read(name)

    def load(self, dtype: torch.dtype = torch.float32) -> Falcon:
        """The whole model in memory, in `dtype`, ready for inference."""
        with torch.device("meta"):
            model = Falcon(self.config)
        state = {name: self.tensor(name).to(dtype) for name in expected_shapes(self.config)}
        if self.config.tie_word_embeddings:
            state[_HEAD] = state[_EMBEDDING]
        model.load_state_dict(state, assign=True)
        for name, table in position_tables(self.config).items():
            setattr(model.transformer, name, table)
        if self.config.tie_word_embeddings:
            model.lm_head.weight = model.transformer.word_embeddings.weight
        return model.eval().requires_grad_(False)

    def _check(self) -> None:
        expected = expected_shapes(self.config)
        missing = [name for name in expected if name not in self._shards]
        if missing:
            raise CheckpointError(
                f"{self.folder} lacks {missing[0]}{_and_more(missing)}; "
                "the download is incomplete, or it is another model."
            )
        for name, shape in expected.items():
            if self.shape(name) != shape:
                raise CheckpointError(
                    f"{name} has shape {list(self.shape(name))} where config.json asks for {list(shape)}; "
                    "weights and config.json are of different models."
                )
        for name in expected:
            if (kind := self._shards[name].types[name]) not in _TYPES.values():
                raise CheckpointError(
                    f"{name} is stored as {kind}, and weights are read as float32, float16 or bfloat16; "
                    "fetch the model in one of these, or convert it first."
                )
        spare = [name for name in self._shards if name not in expected]
        if _HEAD in spare:  # Falcon-7B stores its tied head once more
            spare.remove(_HEAD)
            self._check_tied_head(expected[_EMBEDDING])
        if spare:
            raise CheckpointError(
                f"{self.folder} holds {spare[0]}{_and_more(spare)}, which no Falcon of this config.json has."
            )

    def _check_tied_head(self, shape: tuple[int, ...]) -> None:
        # A few rows suffice to tell a copy from a head of its own, and keep opening fast.
        rows = torch.linspace(0, shape[0] - 1, min(64, shape[0])).long()
        if self.shape(_HEAD) != shape or not torch.equal(self.tensor(_HEAD)[rows], self.tensor(_EMBEDDING)[rows]):
            raise CheckpointError(
                "lm_head.weight differs from the embedding although config.json ties them; "
                "write `tie_word_embeddings: false` there if the head is its own."
            )


def expected_shapes(config: FalconConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint of this model must hold, in the order of use."""
    with torch.device("meta"):
        model = Falcon(config)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}  # a tied head counts once


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _weight_files(folder: Path) -> list[Path]:
    for name in LAYOUTS:
        file = folder / name
        if file.exists():
            return _indexed_files(file) if file.suffix == ".json" else [file]
    raise CheckpointError(
        f"{folder} holds no weights: neither {' nor '.join(LAYOUTS)}; name a folder with a whole checkpoint."
    )


def _indexed_files(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError):
        names = [""]
    # What leads out of the folder is damage, too.
    if any(not isinstance(name, str) or name in ("", "..") or Path(name).name != name for name in names):
        raise CheckpointError(f"{index} is damaged; fetch the file again.")
    files = [index.parent / name for name in names]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise CheckpointError(f"{index.parent} lacks {missing[0]}{_and_more(missing)}; the download is incomplete.")
    return files


class _Shard:
    file: Path
    shapes: dict[str, tuple[int, ...]]
    types: dict[str, str]  # in safetensors' words

    def read(self, name: str) -> Tensor:
        raise NotImplementedError


class _SafetensorsShard(_Shard):
    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            file.open("rb").close()  # safetensors says of a file that may not be read that it does not exist
            str(file).encode()
        except OSError as error:
            why = error.strerror or error
            raise CheckpointError(f"{file} cannot be read ({why}); check the path and its permissions.") from None
        except UnicodeEncodeError:
            raise CheckpointError(
                f"The path {file} is no UTF-8, which safetensors cannot open; rename its folder."
            ) from None
        try:
            with self._open() as opened:
                slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
                self.shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
                self.types = {name: str(part.get_dtype()) for name, part in slices.items()}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} is damaged or cut short ({error}); fetch the file again.") from None

    def read(self, name: str) -> Tensor:
        # Opened anew for each tensor: the file stays mapped only as long as the tensor lives, so that resident memory
        # does not grow with the number of layers.
        with self._open() as opened:
            tensor: Tensor = opened.get_tensor(name)
        return tensor

    def _open(self) -> Any:
        return safe_open(self.file, framework="pt")


class _PickleShard(_Shard):
    """An old .bin file; weights_only keeps its pickle from running code."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("rb") as stream:
            is_zip = stream.read(len(_ZIP)) == _ZIP  # torch before 1.6 wrote pickles one after another, read whole
        try:
            tensors: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
        except pickle.UnpicklingError:  # its message is a page on how to let the file run code
            raise CheckpointError(
                f"{file} is damaged, or holds other things than tensors; fetch the file again from a source you trust."
            ) from None
        except (RuntimeError, OSError, EOFError, AttributeError, ValueError) as error:
            said = textwrap.shorten(str(error), 120, placeholder=" …") or type(error).__name__
            raise CheckpointError(f"{file} is damaged or cut short ({said}); fetch the file again.") from None
        if not isinstance(tensors, dict) or not all(
            isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
        ):
            raise CheckpointError(
                f"{file} holds other things than tensors by name, as a training's state may; "
                "save the model's own state_dict, or fetch the file again."
            )
        self._tensors: dict[str, Tensor] = tensors
        self.shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        self.types = {name: _type_of(tensor) for name, tensor in tensors.items()}

    def read(self, name: str) -> Tensor:
        return self._tensors[name]


def _type_of(tensor: Tensor) -> str:
    if tensor.layout is not torch.strided:
        return str(tensor.layout)  # sparse ones have the dtype of plain ones
    return _TYPES.get(tensor.dtype, str(tensor.dtype))
