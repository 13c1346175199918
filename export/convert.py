"""Traced Falcon -> Core ML program. Each mark becomes a constexpr op over mapped files and one `linear` or `gather`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from export.store import StoredTensor, TensorStore
from export.trace import EMBEDDING, StatefulFalcon
from runtime.quiet import quiet

with quiet():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.frontend.torch.ops import _get_inputs
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
    from coremltools.converters.mil.mil.types.type_int import np_int4_dtype, np_uint4_dtype, np_uint6_dtype

INPUT_IDS, CAUSAL_MASK, LOGITS = "inputIds", "causalMask", "logits"
STATES = ("keyCache", "valueCache")

# coremltools keeps sub-byte integers a byte each with the true type as the array's dtype metadata.
_INDEX_TYPES = {"lut4": np_uint4_dtype, "lut6": np_uint6_dtype, "lut8": np.dtype(np.uint8)}
_VALUE_TYPES = {"int4": np_int4_dtype, "int8": np.dtype(np.int8)}

# add_int16_cast sends token ids and shapes through 16-bit casts, which a vocabulary of 65,024 outgrows; the guard
# rewrites ids below zero, which no tokenizer makes and this package's callers refuse; deduplication hashes gigabytes of
# weights to find that no two are equal (a tied matrix is emitted once to begin with).
_UNWANTED_PASSES = {
    "common::add_int16_cast",
    "common::guard_negative_gather_indices",
    "common::const_deduplication",
}


class WeightEmitter:
    """Puts stored tensors into the program being built, each once: a tied head uses the embedding's."""

    def __init__(self, store: TensorStore, *, tied: bool, emitted: Callable[[int], None]) -> None:
        self._store = store
        self._tied = tied
        self._emitted = emitted
        self._made: dict[str, Any] = {}

    def emit(self, name: str) -> Any:
        """The Var of a matrix, [O, I] in fp16."""
        if self._tied and name == "lm_head.weight":
            name = EMBEDDING
        if name not in self._made:
            self._made[name] = _constexpr(self._store.read(name))
            self._emitted(len(self._made))
        return self._made[name]


def _constexpr(tensor: StoredTensor) -> Any:
    name = tensor.name.replace(".", "_")
    parts = tensor.parts
    if tensor.format in _INDEX_TYPES:
        codebook = parts["codebook"]
        return mb.constexpr_lut_to_dense(
            indices=parts["indices"].view(_INDEX_TYPES[tensor.format]),
            lut=codebook.reshape(codebook.shape[0], 1, codebook.shape[1], 1),
            name=name,
        )
    if tensor.format in _VALUE_TYPES:
        return mb.constexpr_blockwise_shift_scale(
            data=parts["values"].view(_VALUE_TYPES[tensor.format]), scale=parts["scale"], name=name
        )
    return mb.const(val=parts["values"], name=name)


def _convert_linear(context: Any, node: Any, emitter: WeightEmitter) -> None:
    # fp16 from here on: a cast on the matrix would be folded into a second copy of it in memory.
    x, bias, name, _ = _get_inputs(context, node, expected=4)
    arguments = {} if bias is None else {"bias": bias.val.astype(np.float16)}
    x = mb.cast(x=x, dtype="fp16")
    y = mb.linear(x=x, weight=emitter.emit(name.val), name=f"{node.name}_fp16", **arguments)
    context.add(mb.cast(x=y, dtype="fp32", name=node.name))


def _convert_embedding(context: Any, node: Any, emitter: WeightEmitter) -> None:
    ids, name, _ = _get_inputs(context, node, expected=3)
    rows = mb.gather(x=emitter.emit(name.val), indices=ids, axis=0, name=f"{node.name}_fp16")
    context.add(mb.cast(x=rows, dtype="fp32", name=node.name))


@contextmanager
def _marks_registered(emitter: WeightEmitter) -> Iterator[None]:
    """coremltools' registry is global: our converters are in it only while they are needed."""

    converters = {"falconet::linear": _convert_linear, "falconet::embedding": _convert_embedding}
    for mark, converter in converters.items():
        _TORCH_OPS_REGISTRY.set_func_by_name(functools.partial(converter, emitter=emitter), mark)
    try:
        yield
    finally:
        for mark in converters:
            del _TORCH_OPS_REGISTRY.name_to_func_mapping[mark]


def convert(
    model: StatefulFalcon, traced: torch.jit.ScriptModule, store: TensorStore, emitted: Callable[[int], None]
) -> Any:
    """The Core ML model, not yet saved: flexible inputs, fp16 states, logits of the last position.

    `emitted` gets the number of matrices that the program holds so far.
    """
    config = model.falcon.config
    context = config.context_length
    query = ct.RangeDim(lower_bound=1, upper_bound=context, default=1)
    end = ct.RangeDim(lower_bound=1, upper_bound=context, default=1)
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes(_UNWANTED_PASSES)
    emitter = WeightEmitter(store, tied=config.tie_word_embeddings, emitted=emitted)
    with quiet(), _marks_registered(emitter):
        return ct.convert(
            traced,
            inputs=[
                ct.TensorType(INPUT_IDS, shape=(1, query), dtype=np.int32),
                ct.TensorType(CAUSAL_MASK, shape=(1, 1, query, end), dtype=np.float16),
            ],
            outputs=[ct.TensorType(LOGITS, dtype=np.float16)],
            states=[
                ct.StateType(ct.TensorType(shape=tuple(getattr(model, name).shape), dtype=np.float16), name=name)
                for name in STATES
            ],
            minimum_deployment_target=ct.target.macOS15,
            compute_precision=ct.precision.FLOAT16,
            pass_pipeline=pipeline,
            skip_model_load=True,
        )
