"""Reference logits in bounded memory: the torch blocks, one layer's weights at a time, over whole token sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.store import StoredTensor, TensorStore
from models.compressed import BlockWeight, DenseWeight, LutWeight, Weight, mapped_tensor
from models.config import FalconConfig
from models.falcon import Falcon, position_tables

ReadTensor = Callable[[str], Tensor]
"""A tensor of the checkpoint by its name, in any floating type."""

Observer = Callable[[str, Tensor], None]
"""Called with a matrix's name and its input [..., I]."""

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"
_HEAD_ROWS = 1 << 14  # rows of the head held in float32 at a time


@torch.no_grad()
def reference_logits(
    config: FalconConfig,
    read: ReadTensor,
    sequences: Sequence[Sequence[int]],
    layer_done: Callable[[int], None] | None = None,
    observe: Observer | None = None,
) -> list[Tensor]:
    """Logits [n, V] in float32 at every position of each sequence of n tokens, with the weights that `read` gives.

    Holds one layer's weights and the activations of all sequences. `layer_done` gets the number of layers finished; the
    head counts as one more. `observe` sees what goes into every matrix product.
    """
    with torch.device("meta"):
        transformer = Falcon(config).transformer
    for name, table in position_tables(config).items():
        setattr(transformer, name, table)
    embedding = read(_EMBEDDING)
    hidden = [F.embedding(torch.tensor([ids]), embedding).float() for ids in sequences]
    del embedding  # 1.2 GB in Falcon-7B; read again for the head
    steps = [transformer.make_step(1, len(ids), torch.float32) for ids in sequences]
    for index, block in enumerate(transformer.h):
        _load(block, f"transformer.h.{index}.", read)
        if observe:
            _attach(block, f"transformer.h.{index}.", observe)
        hidden = [block(h, step) for h, step in zip(hidden, steps, strict=True)]
        block.to("meta")
        if layer_done:
            layer_done(index + 1)
    _load(transformer.ln_f, "transformer.ln_f.", read)
    normed = torch.cat([transformer.ln_f(h)[0] for h in hidden])
    if observe:
        observe(_HEAD, normed)
    head = read(_EMBEDDING if config.tie_word_embeddings else _HEAD)
    logits = torch.cat([F.linear(normed, rows.float()) for rows in torch.split(head, _HEAD_ROWS)], dim=1)
    if layer_done:
        layer_done(config.num_layers + 1)
    return list(torch.split(logits, [len(ids) for ids in sequences]))


def _attach(block: nn.Module, prefix: str, observe: Observer) -> None:
    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: observe(name, inputs[0])

    for name, module in block.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(hook(f"{prefix}{name}.weight"))


def _load(module: nn.Module, prefix: str, read: ReadTensor) -> None:
    state = {name: read(prefix + name).float() for name, _ in module.named_parameters()}
    module.load_state_dict(state, assign=True)


def stored_reader(store: TensorStore) -> ReadTensor:
    """Reads tensors as the store's formats give them back, in float16, which holds all of them exactly but products of
    scales and integers; these are rounded once, as in the program."""

    def read(name: str) -> Tensor:
        tensor = store.read(name)
        if len(tensor.shape) == 1:
            return mapped_tensor(tensor.parts["values"])
        return stored_weight(tensor).dense(torch.float16)

    return read


def stored_weight(tensor: StoredTensor) -> Weight:
    """The matrix of a stored tensor; its arrays stay mapped, one index a byte."""
    parts = {name: mapped_tensor(array) for name, array in tensor.parts.items()}
    if "codebook" in parts:
        return LutWeight(parts["indices"], parts["codebook"], index_bits=8)
    if "scale" in parts:
        return BlockWeight(parts["values"], parts["scale"])
    return DenseWeight(parts["values"])
