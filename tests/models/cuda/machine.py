"""A block of threads that runs PTX by NVIDIA's description of it (PTX ISA 8.x): what a kernel computes, with no card.

It knows the instructions that our kernels compile to. Threads stand side by side in arrays; of those that may run, the
ones furthest behind run next, so that branches come together again where code does. A barrier waits for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.models.cuda.arithmetic import Bits, Mask, bits_of, computed, floats, width
from tests.models.cuda.memory import Memory, OwnMemory

LANES = 32
BANKS = 32  # of shared memory, 4 bytes each

_SPECIAL = re.compile(r"%(tid|ctaid|ntid|nctaid)\.x|%laneid")


@dataclass(frozen=True)
class Instruction:
    """`guard` names the predicate under which it runs, with ! where that is to be false."""

    guard: str | None
    operation: str
    operands: tuple[str, ...]


@dataclass(frozen=True)
class Kernel:
    """An entry of a PTX module, its labels and the shared variables that it names."""

    code: tuple[Instruction, ...]
    labels: dict[str, int]
    shared: dict[str, int]  # offsets
    shared_bytes: int
    parameter: str


def parse(text: str, dynamic_bytes: int) -> Kernel:
    """The one entry of `text`. Memory of unknown size (`extern`) gets `dynamic_bytes`, at the beginning."""
    text = re.sub(r"//[^\n]*", "", text)
    shared, size = {}, dynamic_bytes
    for extern, align, bits, name, count in re.findall(
        r"(\.extern )?\.shared \.align (\d+) \.[bu](\d+) (\w+)(?:\[(\d*)\])?;", text
    ):
        if extern:
            shared[name] = 0
            continue
        size = -(-size // int(align)) * int(align)
        shared[name] = size
        size += int(bits) // 8 * int(count or 1)
    found = re.search(r"\.entry \w+\(\s*\.param [^)]*?(\w+)\[\d+\]\s*\)[^{]*\{(.*)\}", text, re.DOTALL)
    assert found, "no entry with one parameter"
    code, labels = statements_of(found[2])
    return Kernel(tuple(code), labels, shared, size, found[1])


def statements_of(body: str) -> tuple[list[Instruction], dict[str, int]]:
    """Instructions, and labels by the number of the one that follows. Scopes open before a declaration only."""
    code: list[Instruction] = []
    labels: dict[str, int] = {}
    body = re.sub(r"\{(?=\s*\.reg)|(?<=;)\s*\}", " ", body)
    for line in (statement.strip() for statement in body.split(";")):
        rest = line
        while label := re.match(r"(\$\w+):\s*", rest):
            labels[label[1]] = len(code)
            rest = rest[label.end() :]
        if not rest or rest.startswith("."):
            continue
        guarded = re.match(r"(?:@(!?%?\w+)\s+)?([\w.:]+)\s*(.*)", rest, re.DOTALL)
        assert guarded, rest
        code.append(Instruction(guarded[1], guarded[2], _operands(guarded[3])))
    return code, labels


def _operands(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r",(?![^{]*\})", text) if part.strip())


@dataclass
class Block:
    """One block of `threads`; `turns` runs it to its end.

    With `order`, warps run one after the other in that order, each as far as it can, a turn each: where a barrier is
    missing, another order gives something else.
    """

    kernel: Kernel
    memory: Memory
    parameters: bytes
    threads: int
    number: int
    blocks: int
    order: tuple[int, ...] = ()
    early: Memory | None = None
    """All that may be read before `griddepcontrol.wait`, as the launch before this one goes on; None for a kernel
    without it."""
    registers: dict[str, Bits] = field(default_factory=dict)
    loads: int = 0
    """Of single numbers from shared memory, by warps."""
    waits: int = 0
    """Turns that loads and stores of shared memory took beyond the least: lanes wanted different words of a bank."""

    def turns(self) -> Iterator[None]:
        """Run all threads; other blocks may have their turn where this stops."""
        self.shared = OwnMemory(b"\xa5" * self.kernel.shared_bytes)  # anything but zeros: nothing may count on them
        self.parameter = OwnMemory(self.parameters)
        self.place = np.zeros(self.threads, np.int64)
        self._waited = np.zeros(self.threads, np.bool_)
        self._copies: list[tuple[Mask, Bits, Bits, Bits]] = []
        waiting = np.zeros(self.threads, np.bool_)
        warp, running = np.arange(self.threads) // LANES, -1
        end = len(self.kernel.code)
        while (left := self.place < end).any():
            able = left & ~waiting
            if not able.any():
                waiting[:] = False
                continue
            if self.order:
                mine = next(number for number in self.order if able[warp == number].any())
                if mine != running:
                    yield
                running = mine
                able &= warp == mine
            at = int(self.place[able].min())
            mask = (self.place == at) & able
            self.place[mask] += 1
            instruction = self.kernel.code[at]
            if instruction.operation == "bar.sync":
                waiting |= mask
            else:
                self._step(instruction, mask)

    def _step(self, instruction: Instruction, mask: Mask) -> None:
        if instruction.guard is not None:
            wanted = not instruction.guard.startswith("!")
            mask = mask & (self._predicate(instruction.guard.lstrip("!")) == wanted)
            if not mask.any():
                return
        operation, operands = instruction.operation, instruction.operands
        name, *kinds = operation.split(".")
        if name == "bra":
            self.place[mask] = self.kernel.labels[operands[0]]
        elif operation == "ret":
            self.place[mask] = len(self.kernel.code)
        elif name == "membar" or operation == "griddepcontrol.launch_dependents":
            return
        elif name == "prefetch":
            self._far(mask).load(self._value(operands[0].strip("[]"), "u64")[mask], 1)
        elif operation == "griddepcontrol.wait":
            self._waited |= mask
        elif operation.startswith("cp.async"):
            self._copy(kinds, operands, mask)
        elif name in ("ld", "st", "atom"):
            self._access(name, kinds, operands, mask)
        elif name == "mma":
            self._multiply(operands, mask)
        elif name == "shfl":
            self._shuffle(kinds, operands, mask)
        elif name == "mov" and ("{" in operands[0] or "{" in operands[1]):
            self._split_or_join(operands, mask)
        else:
            sources = [self._value(operand, kinds[-1]) for operand in operands[1:]]
            self._set(operands[0], computed(name, kinds, sources), mask)

    def _set(self, register: str, value: Bits | Mask, mask: Mask) -> None:
        old = self.registers.setdefault(register, np.zeros(self.threads, np.uint64))
        old[mask] = value.astype(np.uint64)[mask]

    def _predicate(self, name: str) -> Mask:
        set_: Mask = self.registers[name] != 0
        return set_

    def _value(self, operand: str, kind: str) -> Bits:
        if operand in self.registers:
            return self.registers[operand]
        if operand in self.kernel.shared:
            return self._all(self.kernel.shared[operand])
        if operand == self.kernel.parameter:
            return self._all(0)
        if special := _SPECIAL.fullmatch(operand):
            lane = np.arange(self.threads, dtype=np.uint64)
            if special[1] == "tid":
                return lane
            if special[1] is None:
                return lane % np.uint64(LANES)
            return self._all({"ctaid": self.number, "ntid": self.threads, "nctaid": self.blocks}[special[1]])
        if operand.startswith("0f"):
            return self._all(int(operand[2:], 16))
        assert re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", operand), f"{operand} was never written"
        return self._all(int(operand, 0) & ((1 << width(kind)) - 1))

    def _all(self, number: int) -> Bits:
        return np.full(self.threads, number, np.uint64)

    def _access(self, name: str, kinds: list[str], operands: tuple[str, ...], mask: Mask) -> None:
        bracket = next(operand for operand in operands if operand.startswith("["))
        place = re.fullmatch(r"\[\s*([%\w]+)\s*(?:\+\s*(-?\d+))?\s*\]", bracket)
        assert place, bracket
        others = [operand for operand in operands if not operand.startswith("[")]
        registers = [part.strip() for part in others[0].strip("{}").split(",")]
        size = width(kinds[-1]) // 8
        first = int(place[2] or 0)
        memory = {"shared": self.shared, "param": self.parameter}.get(kinds[0]) or self._far(mask)
        addresses = (self._value(place[1], "u64") + np.uint64(first & 0xFFFFFFFFFFFFFFFF))[mask]
        assert not (addresses % np.uint64(size * len(registers))).any(), "an address that is not aligned"
        if name == "atom":
            assert kinds == ["acq_rel", "gpu", "global", "add", "u32"]
            self._set(registers[0], self._added(addresses, self._value(others[1], kinds[-1])[mask], size, mask), mask)
            return
        if kinds[0] == "shared":
            self._count_turns(addresses, size * len(registers), np.flatnonzero(mask))
            if name == "ld" and len(registers) == 1:
                self.loads += len(np.unique(np.flatnonzero(mask) // LANES))
        for number, register in enumerate(registers):
            here = addresses + np.uint64(number * size)
            if name == "st":
                memory.store(here, self._value(register, kinds[-1])[mask], size)
            else:
                self._set(register, self._spread(memory.load(here, size), mask), mask)

    def _far(self, mask: Mask) -> Memory:
        """What these threads may reach of the card's memory."""
        return self.memory if self.early is None or self._waited[mask].all() else self.early

    def _copy(self, kinds: list[str], operands: tuple[str, ...], mask: Mask) -> None:
        """Of 16 bytes to shared memory, or of fewer and zeros; it may come as late as its thread waits."""
        if "wait_group" in kinds:
            assert operands[0] == "0"
            later = []
            for copied, to, source, count in self._copies:
                now = copied & mask
                for byte in range(16 if now.any() else 0):
                    here = now & (count > byte)
                    found = self._spread(self.memory.load(source[here] + np.uint64(byte), 1), here)
                    self.shared.store(to[now] + np.uint64(byte), found[now], 1)
                later.append((copied & ~mask, to, source, count))
            self._copies = [copy for copy in later if copy[0].any()]
        elif "commit_group" not in kinds:
            to, source, count = (
                self._value(operand.strip("[]"), "u64").copy() for operand in (*operands[:2], operands[3])
            )
            assert not ((to | source)[mask] % np.uint64(16)).any(), "an address that is not aligned"
            assert self.early is None or self._waited[mask].all(), "copies what may not be there yet"
            self._copies.append((mask.copy(), to, source, count))
            self._count_turns(to[mask], 16, np.flatnonzero(mask))

    def _added(self, addresses: Bits, values: Bits, size: int, mask: Mask) -> Bits:
        before = []
        for thread in range(len(addresses)):
            here = addresses[thread : thread + 1]
            before.append(self.memory.load(here, size)[0])
            self.memory.store(here, before[-1:] + values[thread : thread + 1], size)
        return self._spread(np.array(before, np.uint64), mask)

    def _spread(self, values: Bits, mask: Mask) -> Bits:
        out = self._all(0)
        out[mask] = values
        return out

    def _count_turns(self, addresses: Bits, size: int, threads: npt.NDArray[np.int64]) -> None:
        """A warp's lanes take turns of 128 bytes: 32 lanes of up to 4 bytes each, 16 of 8, 8 of 16."""
        words = (addresses // np.uint64(4)).astype(np.int64)[:, None] + np.arange(max(size // 4, 1))
        turn = (threads * max(size, 4) // (4 * LANES))[:, None]
        wanted = np.unique(((turn * BANKS + words % BANKS) << 32) + words)
        in_banks = np.bincount(wanted >> 32, minlength=(int(turn.max()) + 1) * BANKS).reshape(-1, BANKS)
        self.waits += int(np.maximum(in_banks.max(1) - 1, 0).sum())

    def _split_or_join(self, operands: tuple[str, ...], mask: Mask) -> None:
        if "{" in operands[0]:
            low, high = operands[0].strip("{} ").split(",")
            both = self._value(operands[1], "b32")
            self._set(low.strip(), both & np.uint64(0xFFFF), mask)
            self._set(high.strip(), both >> np.uint64(16), mask)
        else:
            low, high = operands[1].strip("{} ").split(",")
            joined = self._value(low.strip(), "b16") | self._value(high.strip(), "b16") << np.uint64(16)
            self._set(operands[0], joined, mask)

    def _shuffle(self, kinds: list[str], operands: tuple[str, ...], mask: Mask) -> None:
        """Of whole warps, with clamp 31: from the lane that the low five bits name, or turn within the own one's."""
        assert kinds[0] == "sync"
        value, index, clamp, members = (self._value(operand, "b32") for operand in operands[1:])
        assert (clamp == 31)[mask].all()
        assert (members == 0xFFFFFFFF)[mask].all()
        warps = mask.reshape(-1, LANES)
        assert (warps.all(1) | ~warps.any(1)).all(), "a warp shuffles as one"
        lane = np.arange(self.threads, dtype=np.uint64)
        named = {"idx": index, "bfly": lane ^ index}[kinds[1]] % np.uint64(LANES)
        source = lane // np.uint64(LANES) * np.uint64(LANES) + named
        self._set(operands[0].partition("|")[0], value[source.astype(np.intp)], mask)

    def _multiply(self, operands: tuple[str, ...], mask: Mask) -> None:
        """m16n8k16 of float16 with float32 sums, by the tables of fragments in the section on `mma.m16n8k16`."""
        warps = mask.reshape(-1, LANES)
        assert (warps.all(1) | ~warps.any(1)).all(), "a warp multiplies as one"
        names = [[part.strip() for part in operand.strip("{} ").split(",")] for operand in operands]
        group, quarter = np.arange(LANES) // 4, np.arange(LANES) % 4

        def halves(register: str) -> npt.NDArray[np.float32]:
            words = self._value(register, "b32").astype(np.uint32).reshape(-1, LANES)
            return words[..., None].view(np.float16).astype(np.float32)  # [warps, lanes, 2]

        a = np.zeros((len(warps), 16, 16), np.float32)
        for number, register in enumerate(names[1]):
            for one in range(2):
                a[:, group + number % 2 * 8, quarter * 2 + one + number // 2 * 8] = halves(register)[..., one]
        b = np.zeros((len(warps), 16, 8), np.float32)
        for number, register in enumerate(names[2]):
            for one in range(2):
                b[:, quarter * 2 + one + number * 8, group] = halves(register)[..., one]
        with np.errstate(invalid="ignore", over="ignore"):  # lanes that hold no vector may hold anything
            product = a @ b
        for number, (target, before) in enumerate(zip(names[0], names[3], strict=True)):
            part = product[:, group + number // 2 * 8, quarter * 2 + number % 2]
            total = floats(self._value(before, "f32"), "f32") + part.reshape(-1)
            self._set(target, bits_of(total.astype(np.float32), "f32"), mask)
