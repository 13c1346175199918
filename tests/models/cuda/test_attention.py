"""Attention by kernels against torch's, for the shapes of every Falcon."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import torch.nn.functional as F
from torch import Tensor

from models.config import FalconConfig
from models.cuda.attention import AttentionShape, attend_rows, attention_counters, split_count
from models.cuda.layout import PLAIN
from models.cuda.machine import interpreted
from models.cuda.prompt import attend_prompt
from models.cuda.rotary import rotate_and_store
from models.cuda.rows import Rows
from models.falcon import alibi_bias, rotary_tables, rotate

if interpreted():
    from tests.interpreter import quicken

    quicken()

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CONTEXT, LAYERS, LAYER = 160, 2, 1
CLOSE = 5e-6  # float32's rounding; a query rounded to float16 would differ by 5e-4


@dataclass(frozen=True)
class Case:
    """One kind of Falcon, with fewer key heads where there are many of a kind."""

    shape: AttentionShape
    table: tuple[Tensor, Tensor] | None
    bias: Tensor | None


@pytest.fixture(
    scope="module",
    params=[(1, 71, 64, False), (2, 16, 64, False), (2, 4, 128, False), (3, 1, 64, True), (1, 3, 16, False)],
    ids=["7b", "40b", "11b", "rw", "tiny"],
)
def case(request: pytest.FixtureRequest) -> Case:
    kv_heads, group, head_dim, alibi = request.param
    config = FalconConfig(
        vocab_size=32,
        hidden_size=kv_heads * group * head_dim,
        num_layers=LAYERS,
        num_heads=kv_heads * group,
        num_kv_heads=kv_heads,
        ffn_hidden_size=32,
        alibi=alibi,
        context_length=CONTEXT,
    )
    shape = AttentionShape(kv_heads, group, head_dim, CONTEXT)
    if alibi:
        return Case(shape, None, alibi_bias(config)[0, :, 0].contiguous().to(DEVICE))
    cos, sin = rotary_tables(config)
    return Case(shape, (cos.to(DEVICE), sin.to(DEVICE)), None)


class Feed:
    """Rows at `positions` of the states `owners`, whose caches are full of random numbers."""

    def __init__(self, case: Case, positions: list[int], owners: list[int]) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = case.shape
        size = (max(owners) + 1, LAYERS, shape.kv_heads, CONTEXT, shape.head_dim)
        self.case, self.positions, self.owners = case, positions, owners
        self.keys, self.values = (torch.randn(size, generator=generator).half().to(DEVICE) for _ in range(2))
        fused = (len(positions), shape.kv_heads, shape.group + 2, shape.head_dim)
        self.qkv = torch.randn(fused, generator=generator).to(DEVICE)
        self.before = self.keys.clone(), self.values.clone()
        self.rows = Rows(
            torch.tensor(positions, device=DEVICE),
            *(torch.tensor([side[owner].data_ptr() for owner in owners], device=DEVICE) for side in self.sides),
        )
        self.query = rotate_and_store(self.qkv, case.table, self.rows, LAYER, CONTEXT)

    @property
    def sides(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values

    def rotated(self, row: int) -> Tensor:
        """Queries, key and value of a row, [K, G + 2, D], as the model computes them."""
        fused = self.qkv[row].clone()
        if self.case.table is not None:
            cos, sin = (table[self.positions[row]] for table in self.case.table)
            fused[:, :-1] = rotate(fused[:, :-1], cos, sin)
        return fused

    def wanted(self, row: int) -> Tensor:
        """What torch's attention gives a row, [H·D]."""
        end, owner, bias = self.positions[row] + 1, self.owners[row], self.case.bias
        keys, values = (side[owner, LAYER, :, :end].float()[None] for side in (self.keys, self.values))
        mask = None if bias is None else bias[None, :, :, :end]
        out = F.scaled_dot_product_attention(self.rotated(row)[None, :, :-2], keys, values, attn_mask=mask)
        return out.flatten()

    def check(self, out: Tensor) -> None:
        for row, position in enumerate(self.positions):
            wanted = self.wanted(row) if position >= 0 else torch.zeros_like(out[row])
            torch.testing.assert_close(out[row], wanted, rtol=0, atol=CLOSE)


STATES = ([0, 64, -1, CONTEXT - 1, 127], [0, 1, 2, 3, 4])  # first and last position, of a block too, and padding
DRAFTS = ([61, 62, 63, 64, 65], [0, 0, 0, 0, 0])


def test_keys_and_values_are_stored_where_their_rows_stand_and_nowhere_else(case: Case) -> None:
    feed = Feed(case, *STATES)
    keys, values = feed.before
    for row, (position, owner) in enumerate(zip(feed.positions, feed.owners, strict=True)):
        if position >= 0:
            keys[owner, LAYER, :, position] = feed.rotated(row)[:, -2].half()
            values[owner, LAYER, :, position] = feed.rotated(row)[:, -1].half()
            torch.testing.assert_close(feed.query[row], feed.rotated(row)[:, :-2].flatten(0, 1), rtol=0, atol=1e-6)
    assert torch.equal(feed.values, values)
    torch.testing.assert_close(feed.keys, keys, rtol=1e-3, atol=1e-6)  # one of float16's steps at most


@pytest.mark.parametrize("splits", [1, 2])
def test_rows_of_several_states_gather_what_torch_gathers(case: Case, splits: int) -> None:
    feed = Feed(case, *STATES)
    feed.check(attend_rows(feed.query, feed.rows, LAYER, case.shape, case.bias, splits, PLAIN))


@pytest.mark.parametrize("splits", [1, 2, 5])
def test_the_last_program_to_come_gathers_what_torch_gathers(case: Case, splits: int) -> None:
    feed = Feed(case, *STATES)
    counters = attention_counters(torch.device(DEVICE))
    for _ in range(2):
        out = attend_rows(feed.query, feed.rows, LAYER, case.shape, case.bias, splits, PLAIN, counters=counters)
        feed.check(out)
        assert not counters.any()


def test_rows_of_one_state_see_each_other_up_to_their_own_position(case: Case) -> None:
    feed = Feed(case, *DRAFTS)
    feed.check(attend_rows(feed.query, feed.rows, LAYER, case.shape, case.bias, 2, PLAIN))
    feed.check(attend_prompt(feed.query, feed.rows, LAYER, case.shape, case.bias, PLAIN))


def test_a_prompt_begins_at_the_first_position(case: Case) -> None:
    feed = Feed(case, list(range(3)), [0] * 3)
    feed.check(attend_prompt(feed.query, feed.rows, LAYER, case.shape, case.bias, PLAIN))


def test_what_lies_beyond_a_position_is_never_looked_at() -> None:
    case = Case(AttentionShape(1, 3, 16, CONTEXT), None, None)
    feed = Feed(case, [70], [0])
    for side in feed.sides:
        side[:, :, :, 71:] = torch.nan
    for out in (
        attend_rows(feed.query, feed.rows, LAYER, case.shape, None, 2, PLAIN),
        attend_prompt(feed.query, feed.rows, LAYER, case.shape, None, PLAIN),
    ):
        feed.check(out)


def test_a_query_beyond_float16_sees_what_it_points_at() -> None:
    case = Case(AttentionShape(1, 3, 16, CONTEXT), None, None)
    feed = Feed(case, [70], [0])
    query = 1.5e5 * feed.query
    keys, values = (side[0, LAYER, 0, :71].float() for side in feed.sides)
    wanted = values[(query[0] @ keys.T).argmax(1)].flatten()
    for out in (
        attend_rows(query, feed.rows, LAYER, case.shape, None, 2, PLAIN),
        attend_prompt(query, feed.rows, LAYER, case.shape, None, PLAIN),
    ):
        torch.testing.assert_close(out[0], wanted, rtol=0, atol=1e-3)


def test_more_splits_than_blocks_change_nothing() -> None:
    case = Case(AttentionShape(1, 3, 16, CONTEXT), None, None)
    feed = Feed(case, [10, 150], [0, 1])
    feed.check(attend_rows(feed.query, feed.rows, LAYER, case.shape, None, 5, PLAIN))


@pytest.mark.parametrize(
    ("kv_heads", "rows", "splits"), [(1, 1, 32), (1, 64, 5), (8, 1, 32), (8, 4, 9), (8, 64, 1), (32, 64, 1)]
)
def test_a_card_of_132_multiprocessors_has_two_programs_for_each_where_the_context_allows(
    kv_heads: int, rows: int, splits: int
) -> None:
    assert split_count(AttentionShape(kv_heads, 4, 64, 2048), rows, 132) == splits


@pytest.mark.parametrize(
    ("kv_heads", "group", "rows", "splits"),
    [(1, 71, 1, 32), (1, 71, 4, 14), (1, 71, 32, 2), (1, 71, 64, 1), (8, 16, 4, 9)],
)
def test_where_the_last_one_combines_16_heads_are_a_program_s(
    kv_heads: int, group: int, rows: int, splits: int
) -> None:
    assert split_count(AttentionShape(kv_heads, group, 64, 2048), rows, 132, combined=True) == splits


def test_a_head_size_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="heads of 80 numbers; the kernels take 16, 32, 64 or 128"):
        AttentionShape(1, 8, 80, CONTEXT)
