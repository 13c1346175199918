"""RowDecoder: a Falcon's blocks, walked for rows on one card or several. R rows, E hidden size, V vocabulary."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.compressed import CompressedEmbedding, CompressedLinear
from models.config import FalconConfig
from models.cuda.attention import AttentionShape, attend_rows, attention_counters, split_count
from models.cuda.early import can_be_early
from models.cuda.joined import joined_of
from models.cuda.layout import PLAIN, Layout
from models.cuda.machine import multiprocessors
from models.cuda.native import prefer_shared_memory
from models.cuda.norms import normalized
from models.cuda.prompt import attend_prompt
from models.cuda.rotary import rotate_and_store
from models.cuda.rows import Rows
from models.cuda.table import Kernels
from models.cuda.ways import Ways
from models.cuda.weight import CudaWeight, with_cuda_kernels
from models.falcon import Block, Falcon, Transformer


@dataclass(frozen=True)
class Stage:
    """Layers `first` to `last` - 1 on one device, which keeps their keys and values."""

    device: torch.device
    first: int
    last: int


class RowDecoder:
    """Scores what follows each row. The hidden stream is float32, and moves where the layers are."""

    def __init__(self, model: Falcon, stages: Sequence[Stage], ways: Ways) -> None:
        """Moves the model's layers to the stages, embedding and head to the first, and gives them kernels.

        `model`'s layers are compressed ones, `stages` cover all layers in their order. Raises ValueError for a model
        whose head size the kernels lack.
        """
        config = model.config
        self.stages = tuple(stages)
        self._model = model
        self._ways = ways
        self._blocks = [block for block in model.transformer.h if isinstance(block, Block)]
        self._shape = attention_shape(config)
        home = stages[0].device
        for module in (model.transformer.word_embeddings, model.transformer.ln_f, model.lm_head):
            module.to(home)
        _take_kernels([model.transformer.word_embeddings, model.lm_head], ways.tables)
        for stage in stages:
            for block in self._blocks[stage.first : stage.last]:
                block.to(stage.device)
                _take_kernels(list(block.modules()), ways.tables)
        self._joined = [joined_of(block) for block in self._blocks]
        self._tables = [_tables(model.transformer, stage.device) for stage in stages]
        self._sides = [_stream(stage.device) for stage in stages]
        self._processors = [multiprocessors(stage.device) for stage in stages]
        self._counters = [attention_counters(stage.device) if ways.combined else None for stage in stages]
        self._early = [ways.early and can_be_early(stage.device) for stage in stages]
        for stage, is_early in zip(stages, self._early, strict=True):
            if is_early:
                prefer_shared_memory(stage.device)

    def score(self, tokens: Tensor, rows: Sequence[Rows], *, prompt: bool, first: int = 0) -> Tensor:
        """Append each row's token, int64 [R], to its state; score what follows rows `first` on, [R - first, V].

        `rows` hold the same rows for each stage, on its device. `prompt` says that they are of one state, at positions
        that ascend, and many; kernels then share the keys among them.
        """
        transformer = self._model.transformer
        with _current(tokens.device):
            hidden: Tensor = transformer.word_embeddings(tokens)
        for number, stage in enumerate(self.stages):
            hidden = hidden.to(stage.device)
            with _current(stage.device):
                for layer in range(stage.last - stage.first):
                    hidden = self._block(hidden, rows[number], number, layer, prompt)
        if first == len(tokens):
            return hidden.new_empty((0, self._model.config.vocab_size))
        hidden = hidden[first:].to(tokens.device)
        with _current(tokens.device):
            head = self._model.lm_head
            return _product(head, normalized(hidden, [transformer.ln_f], [_reads(head, len(hidden))])[0])

    def _block(self, hidden: Tensor, rows: Rows, stage: int, layer: int, prompt: bool) -> Tensor:
        """What `models.falcon.Block` computes, float32 [R, E] -> [R, E]; sums are made where products end.

        Where attention and MLP are side by side, so are they on the card: a step's small kernels leave it idle.
        """
        count = len(hidden)
        block = self._blocks[self.stages[stage].first + layer]
        joined = self._joined[self.stages[stage].first + layer]
        joins = joined is not None and joined.takes(count) and not prompt
        early = self._early[stage] and joins
        attention, mlp = block.self_attention, block.mlp
        norms = [block.ln_attn, block.ln_mlp] if block.two_norms else [block.input_layernorm]
        of_attention, of_mlp = _reads(attention.query_key_value, count), _reads(mlp.dense_h_to_4h, count)
        if block.parallel and not block.two_norms and of_attention != of_mlp:
            norms *= 2  # one norm, laid in two ways
        gathered_layout = _reads(attention.dense, count)
        normed = joined is not None and joins and self._ways.normed and joined.norms(count)
        layouts = [of_attention, of_mlp][: len(norms)]
        inputs = [hidden] if normed else normalized(hidden, norms, layouts, early=early)
        if joined is not None and joins:
            qkv, wide = joined.begin(inputs[0], inputs[-1], norms if normed else (), early=early)
            gathered = self._attend(qkv, rows, stage, layer, prompt, gathered_layout, early)
            return joined.end(gathered, wide, hidden, early=early)
        wide_layout = _reads(mlp.dense_4h_to_h, count)
        side = self._sides[stage] if block.parallel and not prompt else None
        with _joined_at_the_end(side):
            if side is not None:
                side.wait_stream(torch.cuda.current_stream(side.device))
                with torch.cuda.stream(side):
                    wide = _product(mlp.dense_h_to_4h, inputs[-1], gelu=True, layout=wide_layout)
            qkv = _product(attention.query_key_value, inputs[0])
            gathered = self._attend(qkv, rows, stage, layer, prompt, gathered_layout)
            hidden = _product(attention.dense, gathered, added=hidden)
        if side is None:
            if not block.parallel:
                inputs = normalized(hidden, [block.post_attention_layernorm], [of_mlp])
            wide = _product(mlp.dense_h_to_4h, inputs[-1], gelu=True, layout=wide_layout)
        return _product(mlp.dense_4h_to_h, wide, added=hidden)

    def _attend(
        self, qkv: Tensor, rows: Rows, stage: int, layer: int, prompt: bool, layout: Layout, early: bool = False
    ) -> Tensor:
        """Stores keys and values of `qkv` [R, K · (G + 2) · D]; what the queries gather, [R, E] laid as `layout`."""
        shape, (rotary, bias) = self._shape, self._tables[stage]
        qkv = qkv.view(len(rows), shape.kv_heads, shape.group + 2, shape.head_dim)
        query = rotate_and_store(qkv, rotary, rows, layer, shape.context, early=early)
        if prompt:
            return attend_prompt(query, rows, layer, shape, bias, layout)
        counters = self._counters[stage]
        splits = split_count(shape, len(rows), self._processors[stage], combined=counters is not None)
        return attend_rows(query, rows, layer, shape, bias, splits, layout, counters=counters, early=early)


def attention_shape(config: FalconConfig) -> AttentionShape:
    """Of a model. Raises ValueError for a head size that the kernels lack."""
    return AttentionShape(config.num_kv_heads, config.heads_per_kv_head, config.head_dim, config.context_length)


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _joined_at_the_end(side: torch.cuda.Stream | None) -> Iterator[None]:
    """The current stream then waits for `side`, also where memory ends between: a recording that has a stream apart
    cannot be ended, and torch would tell of that instead and go on with the recording's stream."""
    try:
        yield
    finally:
        if side is not None:
            torch.cuda.current_stream(side.device).wait_stream(side)


def _current(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Triton launches on the current card, wherever the tensors are."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _take_kernels(modules: Sequence[nn.Module], kernels: Kernels | None) -> None:
    """Give layers kernels; layers that share a weight go on sharing it."""
    made = {}
    for module in modules:
        if isinstance(module, CompressedLinear | CompressedEmbedding):
            if module.weight not in made:
                made[module.weight] = with_cuda_kernels(module.weight, kernels)
            module.weight = made[module.weight]


def _reads(layer: nn.Module, rows: int) -> Layout:
    """How `_product` takes `rows` of x."""
    if isinstance(layer, CompressedLinear) and isinstance(layer.weight, CudaWeight):
        return layer.weight.reads(rows)
    return PLAIN


def _product(
    layer: nn.Module, x: Tensor, *, gelu: bool = False, added: Tensor | None = None, layout: Layout = PLAIN
) -> Tensor:
    """gelu(layer(x)) + added, laid as `layout`, in one kernel where the weight has one; `x` lies as `_reads` says."""
    if isinstance(layer, CompressedLinear) and isinstance(layer.weight, CudaWeight):
        return layer.weight.laid_product(x, layer.bias, gelu=gelu, added=added, layout=layout)
    out: Tensor = F.gelu(layer(x)) if gelu else layer(x)
    return layout.lay(out if added is None else out + added)


def _tables(transformer: Transformer, device: torch.device) -> tuple[tuple[Tensor, Tensor] | None, Tensor | None]:
    """Cosine and sine [C, D], or ALiBi's bias [K, G, C]; float32 on `device`."""
    if transformer.config.alibi:
        return None, transformer.head_bias[0, :, 0].contiguous().to(device)
    return (transformer.cos.contiguous().to(device), transformer.sin.contiguous().to(device)), None
