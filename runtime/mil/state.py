"""The memory of a program between predictions, and which of its ops may write to that memory directly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from runtime.arguments import check_kind
from runtime.mil.graph import Block, Op


class State(Mapping[str, Tensor]):
    """The states of one conversation, by name: 16-bit tensors that predictions change in place.

    `owner` is the package whose program made it, the only one that may use it; empty where any may.
    """

    def __init__(self, tensors: Mapping[str, Tensor], *, owner: str = "") -> None:
        self._tensors = dict(tensors)
        self.owner = owner

    @classmethod
    def zeros(cls, shapes: Mapping[str, tuple[int, ...]], *, owner: str = "") -> State:
        """All zeros, as a new state is in Core ML."""
        return cls({name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}, owner=owner)

    def copy(self) -> State:
        """The same content, independent from here on."""
        return State({name: tensor.clone() for name, tensor in self._tensors.items()}, owner=self.owner)

    def read_state(self, name: str) -> npt.NDArray[Any]:
        """A copy of the state called `name`. RuntimeError where there is none, as in Core ML's Python API."""
        return self._named(name).numpy().copy()

    def write_state(self, name: str, value: npt.NDArray[Any]) -> None:
        """Replace the state called `name`. RuntimeError where there is none or `value` has another shape,
        OptionError where it is no array."""
        tensor = self._named(name)
        check_kind("value", value, np.ndarray, "an array")
        if tensor.shape != value.shape:
            raise RuntimeError(f"state {name} has the shape {tuple(tensor.shape)}, not {value.shape}.")
        tensor.copy_(torch.from_numpy(value))

    def _named(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise RuntimeError(f"the program has no state {name!r}; it has {', '.join(self._tensors) or 'none'}.")
        return self._tensors[name]

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True)
class StateUse:
    """Places in a block, by number of op, where a state is used without copying it.

    A program copies a state out (read_state), changes the copy (slice_update) and copies it back (write_state): for a
    key/value cache megabytes a layer, to store a few numbers.
    """

    in_place: frozenset[int] = frozenset()  # slice_updates that may write to the state itself
    borrowed: frozenset[int] = frozenset()  # read_states whose result may be the state itself


def analyse(block: Block) -> StateUse:
    """Find where nobody can tell the state from a copy of it: where no other user of the old content is left."""
    if any(op.type in ("read_state", "write_state") for outer in block.ops for op in _nested(outer)):
        return StateUse()
    return _Analysis(block).result()


def names_used(op: Op) -> set[str]:
    """Values that an op reads, those its nested blocks take from outside included."""
    names = {binding for bindings in op.inputs.values() for binding in bindings if isinstance(binding, str)}
    for block in op.blocks:
        names.update(block.outputs)
        for inner in block.ops:
            names |= names_used(inner)
    return names


def last_uses(block: Block) -> dict[str, int]:
    """The number of the last op that reads each value; one past the end for what the block gives."""
    last = {name: number for number, op in enumerate(block.ops) for name in names_used(op)}
    last.update(dict.fromkeys(block.outputs, len(block.ops)))
    return last


def _nested(op: Op) -> Iterator[Op]:
    for block in op.blocks:
        yield from block.walk()


def _source(op: Op, key: str) -> str:
    binding = op.inputs[key][0]
    return binding if isinstance(binding, str) else ""


class _Analysis:
    def __init__(self, block: Block) -> None:
        self.ops = block.ops
        self.last = last_uses(block)
        self.made_by = {value.name: number for number, op in enumerate(block.ops) for value in op.outputs}
        self.root: dict[str, str] = {}  # values that are a state's content, changed or not, and which state's
        for op in block.ops:
            if op.type == "read_state":
                self.root[op.outputs[0].name] = _source(op, "input")
            elif op.type == "slice_update" and _source(op, "x") in self.root:
                self.root[op.outputs[0].name] = self.root[_source(op, "x")]

    def result(self) -> StateUse:
        in_place: set[int] = set()
        settled: set[int] = set()  # write_states whose value is then already in the state
        for number, op in enumerate(self.ops):
            if op.type == "write_state":
                chain = self._chain(number)
                if chain:
                    in_place.update(chain)
                    settled.add(number)
        borrowed = {
            number
            for number, op in enumerate(self.ops)
            if op.type == "read_state" and self._may_borrow(number, in_place, settled)
        }
        # A chain works on the state only if the read at its head gives the state itself.
        for number in sorted(in_place):
            head = self._head(number)
            if head not in borrowed:
                return StateUse()
        return StateUse(frozenset(in_place), frozenset(borrowed))

    def _head(self, update: int) -> int:
        """The read_state that a chain of slice_updates starts from."""
        while self.ops[update].type == "slice_update":
            update = self.made_by[_source(self.ops[update], "x")]
        return update

    def _chain(self, write: int) -> list[int]:
        """The slice_updates between a read_state and this write_state of the same state, if they may be in place."""
        state, value = _source(self.ops[write], "input"), _source(self.ops[write], "data")
        if self.root.get(value) != state:
            return []
        chain: list[int] = []
        name = value
        while self.ops[self.made_by[name]].type == "slice_update":
            update = self.made_by[name]
            chain.append(update)
            name = _source(self.ops[update], "x")
            if self.last[name] != update:
                return []
        if not chain:
            return []
        start = chain[-1]
        own = {self.ops[number].outputs[0].name for number in chain} | {name}
        if any(self._changes(number, state) and number not in chain for number in range(self.made_by[name] + 1, write)):
            return []
        others = (other for other, root in self.root.items() if root == state and other not in own)
        if any(self.made_by[other] < write and self.last.get(other, -1) > start for other in others):
            return []
        later = [number for number in range(write + 1, len(self.ops)) if self._changes(number, state)]
        return chain if not later or self.last[value] < later[0] else []

    def _changes(self, number: int, state: str) -> bool:
        """Whether an op may change the state, if slice_updates of it are in place."""
        op = self.ops[number]
        if op.type == "write_state":
            return _source(op, "input") == state
        return op.type == "slice_update" and self.root.get(op.outputs[0].name) == state

    def _may_borrow(self, read: int, in_place: set[int], settled: set[int]) -> bool:
        op = self.ops[read]
        state = _source(op, "input")
        for number in range(read + 1, len(self.ops)):
            changes = number in in_place or (self.ops[number].type == "write_state" and number not in settled)
            if changes and self._changes(number, state):
                return self.last.get(op.outputs[0].name, -1) <= number
        return True
