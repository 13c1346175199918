"""What the PTX of 4-bit lookups computes, on a warp of our own: no card is needed to be sure of it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch

from models.cuda.lookup import SHUFFLE_PACK, address_ptx, permute_ptx, shuffle_ptx
from models.cuda.matrix import byte_planes
from tests.models.cuda.machine import LANES
from tests.models.cuda.ptx import Lanes, run


def indices(words: Lanes) -> np.ndarray:
    """The 8 indices of each word, lowest bits first: [..., 8]."""
    return np.stack([words >> np.uint64(4 * place) & np.uint64(15) for place in range(8)], axis=-1).astype(np.intp)


def random_words(count: int) -> Lanes:
    return np.random.default_rng(0).integers(0, 1 << 32, size=(count, LANES), dtype=np.uint64)


def test_shuffle_finds_every_word_s_eight_entries() -> None:
    codebook = np.random.default_rng(1).normal(size=48).astype(np.float32)  # the second of three is meant
    words = random_words(SHUFFLE_PACK)
    out = 8 * SHUFFLE_PACK
    operands = {out + place: words[place] for place in range(SHUFFLE_PACK)}
    operands |= {out + SHUFFLE_PACK + place: np.full(LANES, 16 * 4, np.uint64) for place in range(SHUFFLE_PACK)}
    got = run(shuffle_ptx(), operands, codebook.view(np.uint32))
    for word in range(SHUFFLE_PACK):
        entries = np.stack([got[place * SHUFFLE_PACK + word] for place in range(8)], axis=-1)
        np.testing.assert_array_equal(entries.astype(np.uint32).view(np.float32), codebook[16 + indices(words[word])])


def test_an_8_bit_index_finds_the_entry_of_each_lane_s_own_codebook() -> None:
    codebooks = np.random.default_rng(1).normal(size=(LANES, 256)).astype(np.float16)
    (words,) = random_words(1)
    addresses = np.arange(LANES, dtype=np.uint64) * np.uint64(512)
    got = run(address_ptx(), {4: words, 5: addresses}, codebooks.view(np.uint32).ravel())
    for byte in range(4):
        index = (words >> np.uint64(8 * byte) & np.uint64(255)).astype(np.intp)
        entries = got[byte].astype(np.uint32).view(np.float32)
        np.testing.assert_array_equal(entries, codebooks[np.arange(LANES), index])


def test_permute_finds_the_eight_entries_of_each_lane_s_own_codebook() -> None:
    codebooks = torch.randn(LANES, 16, generator=torch.Generator().manual_seed(1)).half()
    planes = byte_planes(codebooks).view(torch.int32).numpy().view(np.uint32).astype(np.uint64)
    (words,) = random_words(1)
    operands = {4: words} | {5 + place: planes[:, place] for place in range(8)}
    got = run(permute_ptx(), operands, np.zeros(1, np.uint32))
    pairs = np.stack([got[place] for place in range(4)], axis=-1).astype(np.uint32)
    entries = pairs.view(np.float16).reshape(LANES, 8)
    np.testing.assert_array_equal(entries, np.take_along_axis(codebooks.numpy(), indices(words), 1))
