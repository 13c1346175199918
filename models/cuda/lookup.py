"""Looking up 4-bit indices in a codebook of 16 float16 entries, eight at a time.

At 4 bits the lookup limits a product before memory does: an H200 reads some 40 weights a clock and multiprocessor.
Triton's own `gather` spreads the codebook over registers and compares (16 selections a weight, seen in its machine
code), so on a card two instructions do it, as PTX:

- `shfl` fetches from another lane of the warp: each lane holds an entry in float32, an index names the lane. A lookup
  is one instruction, and there is nothing to convert. All lanes must mean one codebook. For single vectors.
- `prmt` picks four bytes out of eight by the very nibbles that are stored: low and high bytes of the entries apart.
  Each thread has a codebook of its own. For tiles of rows, whose groups differ.

At 8 bits an index is an address, in PTX too: Triton's own loads from a codebook would move each address through shared
memory, to another thread, before it is used.

Triton's interpreter runs no PTX: there, and for other forms, an index is an address in Triton's terms.
"""

from __future__ import annotations

import triton
import triton.language as tl

SHUFFLE_PACK = 4
"""Words that one piece of `shfl` code serves, all of one codebook."""


def shuffle_ptx(pack: int = SHUFFLE_PACK) -> str:
    """Operands: 8 · `pack` float32 out, the first entries of all words first; `pack` words; `pack` times the codebook's
    address (float32 [16]).

    Lanes 16 to 31 hold the entries again, so that an index's fifth bit, its neighbour's, is harmless.
    """
    words = 8 * pack
    lines = [
        "{ .reg .u32 lane; .reg .u64 place; .reg .b32 entry, index;",
        "mov.u32 lane, %laneid;",
        "and.b32 lane, lane, 15;",
        "mul.wide.u32 place, lane, 4;",
        f"add.s64 place, place, ${words + pack};",
        "ld.global.nc.b32 entry, [place];",
    ]
    for word in range(pack):
        for nibble in range(8):
            lines.append(f"shr.u32 index, ${words + word}, {4 * nibble};")
            lines.append(f"shfl.sync.idx.b32 ${nibble * pack + word}, entry, index, 31, -1;")
    return "\n".join([*lines, "}"])


def permute_ptx() -> str:
    """Operands: 4 pairs of float16 out, lower index in the lower half; a word; 4 words of the entries' low bytes, and 4
    of their high bytes.

    A nibble's low three bits select one of eight bytes; its highest says whether the first or the last eight entries
    were meant, which a third `prmt` does: place i takes byte i of the one or of the other.
    """
    lines = ["{ .reg .b32 index, half, first, last, low, high;"]
    for part in range(2):
        lines += [
            f"shr.u32 index, $4, {16 * part};",
            "and.b32 half, index, 0x8888;",
            "shr.u32 half, half, 1;",
            "or.b32 half, half, 0x3210;",
            "and.b32 index, index, 0x7777;",
            "prmt.b32 first, $5, $6, index;",
            "prmt.b32 last, $7, $8, index;",
            "prmt.b32 low, first, last, half;",
            "prmt.b32 first, $9, $10, index;",
            "prmt.b32 last, $11, $12, index;",
            "prmt.b32 high, first, last, half;",
            f"prmt.b32 ${2 * part}, low, high, 0x5140;",
            f"prmt.b32 ${2 * part + 1}, low, high, 0x7362;",
        ]
    return "\n".join([*lines, "}"])


def address_ptx() -> str:
    """Operands: 4 float32 out; a word of four 8-bit indices; its codebook's address (float16 [256])."""
    lines = ["{ .reg .u32 index; .reg .u64 place; .reg .b16 entry;"]
    for byte in range(4):
        lines += [
            f"shr.u32 index, $4, {8 * byte};",
            "and.b32 index, index, 255;",
            "mul.wide.u32 place, index, 2;",
            "add.s64 place, place, $5;",
            "ld.global.nc.b16 entry, [place];",
            f"cvt.f32.f16 ${byte}, entry;",
        ]
    return "\n".join([*lines, "}"])


_SHUFFLE = tl.constexpr(shuffle_ptx())
_SHUFFLE_OPERANDS = tl.constexpr(",".join(["=r"] * 8 * SHUFFLE_PACK + ["r"] * SHUFFLE_PACK + ["l"] * SHUFFLE_PACK))
_PACK = tl.constexpr(SHUFFLE_PACK)
_ADDRESS = tl.constexpr(address_ptx())
_PERMUTE = tl.constexpr(permute_ptx())
_PERMUTE_OPERANDS = tl.constexpr(",".join(["=r"] * 4 + ["r"] * 9))


@triton.jit
def shuffled(words, codebook):
    """Entries of all 8 indices of each of `words`, float32, in a tuple. `codebook`: address, the same for all."""
    return tl.inline_asm_elementwise(
        _SHUFFLE,
        _SHUFFLE_OPERANDS,
        [words, tl.zeros_like(words).to(tl.uint64) + codebook.to(tl.uint64)],
        dtype=(tl.float32, tl.float32, tl.float32, tl.float32, tl.float32, tl.float32, tl.float32, tl.float32),
        is_pure=True,
        pack=_PACK,
    )


@triton.jit
def addressed(words, codebooks):
    """Entries of the 4 indices of each of `words`, float32, in a tuple; `codebooks` are the addresses of their own."""
    return tl.inline_asm_elementwise(
        _ADDRESS,
        "=f,=f,=f,=f,r,l",
        [words, codebooks.to(tl.uint64)],
        dtype=(tl.float32, tl.float32, tl.float32, tl.float32),
        is_pure=True,
        pack=1,
    )


@triton.jit
def permuted(words, bytes0, bytes1, bytes2, bytes3, bytes4, bytes5, bytes6, bytes7):
    """Entries of all 8 indices of each of `words`, float16, in a tuple; `bytes` are those of `matrix.byte_planes`."""
    a, b, c, d = tl.inline_asm_elementwise(
        _PERMUTE,
        _PERMUTE_OPERANDS,
        [words, bytes0, bytes1, bytes2, bytes3, bytes4, bytes5, bytes6, bytes7],
        dtype=(tl.uint32, tl.uint32, tl.uint32, tl.uint32),
        is_pure=True,
        pack=1,
    )
    return lower(a), upper(a), lower(b), upper(b), lower(c), upper(c), lower(d), upper(d)


@triton.jit
def lower(pair):
    """The float16 in the lower half of each word."""
    return (pair & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)


@triton.jit
def upper(pair):
    """The float16 in the upper half of each word."""
    return (pair >> 16).to(tl.uint16).to(tl.float16, bitcast=True)
