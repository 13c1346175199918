"""A saved program as plain data: functions, blocks, ops, values and constants. Nothing here runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Shape = tuple[int | None, ...]
"""Lengths of a value's axes; None where the program leaves one open."""


@dataclass(frozen=True)
class Value:
    """What an op gives or a function takes: a name, an element type ("fp16", "int32", "bool", …) and a shape."""

    name: str
    dtype: str
    shape: Shape
    is_state: bool = False


@dataclass(frozen=True, eq=False)
class Constant:
    """A value known at conversion: either kept in the program (`data`) or in the weight file (`offset`)."""

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[Any] | str | list[Any] | None = None
    file_name: str | None = None
    offset: int | None = None  # the blob's record in the weight file

    @property
    def is_stored(self) -> bool:
        """Whether the elements are in the weight file."""
        return self.offset is not None


Binding = str | Constant
"""What an op's input is bound to: the name of a value, or a constant."""


@dataclass(frozen=True)
class Block:
    """Ops in the order in which they run; `inputs` only inside loops."""

    inputs: tuple[Value, ...]
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]

    def walk(self) -> Iterator[Op]:
        """Every op, those of nested blocks after the op that holds them."""
        for op in self.ops:
            yield op
            for block in op.blocks:
                yield from block.walk()


@dataclass(frozen=True)
class Op:
    """One operation: what it is called in MIL, what it reads, what it gives."""

    type: str
    name: str
    inputs: Mapping[str, tuple[Binding, ...]]
    outputs: tuple[Value, ...]
    blocks: tuple[Block, ...] = field(default=())


@dataclass(frozen=True)
class Function:
    """One entry point of a program."""

    name: str
    opset: int  # 15 to 18, the iOS version whose definitions of the ops hold
    inputs: tuple[Value, ...]
    block: Block


@dataclass(frozen=True)
class Weight:
    """A constant of the program that lives, wholly or in parts, in the weight file.

    `op_type` is "const" for a plain one, whose single part is "val"; a compressed one has the parts that its constexpr
    op is made of ("indices", "lut", …). A part that is itself compressed is given by its name.
    """

    name: str
    op_type: str
    dtype: str
    shape: tuple[int, ...]
    parts: Mapping[str, Binding]
