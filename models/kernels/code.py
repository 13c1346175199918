"""Code: LLVM's intermediate language, written through Python values whose operators emit one instruction each."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

I64, F32, PTR = "i64", "float", "ptr"
F8 = "<8 x float>"


@dataclass(frozen=True)
class Vectors:
    """The types of a processor's vectors, of 256 or 512 bits: `lanes` parts of 128."""

    lanes: int

    @property
    def bytes(self) -> str:
        """Of 8 bits."""
        return f"<{16 * self.lanes} x i8>"

    @property
    def words(self) -> str:
        """Whole numbers of 16 bits."""
        return f"<{8 * self.lanes} x i16>"

    @property
    def sums(self) -> str:
        """Whole numbers of 32 bits."""
        return f"<{4 * self.lanes} x i32>"

    @property
    def floats(self) -> str:
        """Float32."""
        return f"<{4 * self.lanes} x float>"


class Value:
    """A number or vector in a function that is being written. `type` is LLVM's, e.g. `<8 x float>`."""

    def __init__(self, code: Code, type_: str, name: str) -> None:
        self.code, self.type, self.name = code, type_, name

    def __add__(self, other: Operand) -> Value:
        return self._binary("add", other)

    def __sub__(self, other: Operand) -> Value:
        return self._binary("sub", other)

    def __mul__(self, other: Operand) -> Value:
        return self._binary("mul", other)

    def __and__(self, other: Operand) -> Value:
        return self._binary("and", other)

    def __or__(self, other: Operand) -> Value:
        return self._binary("or", other)

    def __xor__(self, other: Operand) -> Value:
        return self._binary("xor", other)

    def __lshift__(self, other: Operand) -> Value:
        return self._binary("shl", other)

    def __rshift__(self, other: Operand) -> Value:
        return self._binary("lshr", other)

    def __floordiv__(self, other: Operand) -> Value:
        return self._binary("udiv", other)

    def __truediv__(self, other: Operand) -> Value:
        return self._binary("div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self.code.constant(self.type, other) / self

    def _binary(self, operation: str, other: Operand) -> Value:
        right = other if isinstance(other, Value) else self.code.constant(self.type, other)
        if "float" in self.type and operation in ("add", "sub", "mul", "div"):
            operation = "f" + operation
        return self.code.emit(self.type, f"{operation} {self.type} {self.name}, {right.name}")

    def cast(self, operation: str, type_: str) -> Value:
        """`operation` is one of LLVM's: bitcast, trunc, sext, zext, fpext, sitofp."""
        return self.code.emit(type_, f"{operation} {self.type} {self.name} to {type_}")

    def bits(self, type_: str) -> Value:
        """The same bits as another type."""
        return self if type_ == self.type else self.cast("bitcast", type_)

    def pick(self, places: Sequence[int], other: Value | None = None) -> Value:
        """The elements at `places` of this vector, followed by `other`'s."""
        mask = ", ".join(f"i32 {place}" for place in places)
        second = "poison" if other is None else other.name
        return self.code.emit(
            f"<{len(places)} x {element(self.type)}>",
            f"shufflevector {self.type} {self.name}, {self.type} {second}, <{len(places)} x i32> <{mask}>",
        )

    def magnitude(self) -> Value:
        """Without its sign."""
        return self.code.call(self.type, f"llvm.fabs.{suffix(self.type)}", self)

    def root(self) -> Value:
        """Its square root."""
        return self.code.call(self.type, f"llvm.sqrt.{suffix(self.type)}", self)

    def most(self, other: Value) -> Value:
        """The larger of both, element by element; no number where one of them is none."""
        return self.code.call(self.type, f"llvm.maximum.{suffix(self.type)}", self, other)

    def sum(self) -> Value:
        """The sum of all elements, in a fixed order."""
        two = self.folded(Value.__add__, 2)
        return two.at(0) + two.at(1)

    def largest(self) -> Value:
        """Of all elements; no number where one is none."""
        two = self.folded(Value.most, 2)
        return two.at(0).most(two.at(1))

    def folded(self, join: Callable[[Value, Value], Value], count: int) -> Value:
        """The halves of this vector joined, and those of what comes of it, until `count` elements are left."""
        value = self
        while (half := lanes(value.type) // 2) >= count:
            value = join(value.pick(range(half)), value.pick(range(half, 2 * half)))
        return value

    def put(self, value: Value, place: int) -> Value:
        """This vector with one element replaced."""
        return self.code.emit(
            self.type, f"insertelement {self.type} {self.name}, {value.type} {value.name}, i32 {place}"
        )

    def at(self, place: int) -> Value:
        """One element of this vector."""
        return self.code.emit(element(self.type), f"extractelement {self.type} {self.name}, i32 {place}")


Operand = Value | int | float


class Instructions(Protocol):
    """What LLVM's language has no word for, in a processor's own."""

    vectors: Vectors
    two_rows: int  # tokens up to which two rows are worked on at once: their sums stay in registers
    largest_table: int  # entries that `look_up` takes
    in_passes: int  # tokens up to which passes over a packed matrix take less time than what follows
    in_panels: bool  # whether more tokens meet panels of it, or its float32 numbers
    piece: int  # tokens of a prompt that a large packed model reads at a time: a pass stays under some seconds

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        """Products of the 16-bit numbers of each pair, added up within their lanes to numbers of 32 bits, exactly."""

    def look_up(self, table: Value, index: Value) -> Value:
        """Bytes of a table of 16, 64 or 256, by each byte of `index`, below their number."""

    def nearest(self, numbers: Value) -> Value:
        """Eight float32 numbers as the nearest whole ones, ties to even."""


class Code:
    """One function `void name(ptr job)` whose body is being written, instruction by instruction."""

    def __init__(self, name: str, cpu: Instructions) -> None:
        self.name, self.cpu = name, cpu
        self.job = Value(self, PTR, "%job")
        self._lines: list[str] = ["entry:"]
        self._declared: dict[str, str] = {}
        self._names = 0
        self._block = "entry"

    def text(self) -> str:
        """The module, once `stop` ended the body."""
        head = f"define void @{self.name}(ptr %job) nounwind {{"
        return "\n".join([*self._declared.values(), head, *self._lines, "}", ""])

    def emit(self, type_: str, instruction: str) -> Value:
        """A new value."""
        name = f"%v{self._fresh()}"
        self._lines.append(f"  {name} = {instruction}")
        return Value(self, type_, name)

    def constant(self, type_: str, number: float) -> Value:
        """A number, in every element where `type_` is a vector."""
        literal = _float(number) if "float" in type_ else str(int(number))
        if type_.startswith("<"):
            return self.constants(element(type_), [literal] * lanes(type_))
        return Value(self, type_, literal)

    def constants(self, element_type: str, numbers: Sequence[object]) -> Value:
        """A vector of given numbers."""
        inner = ", ".join(f"{element_type} {number}" for number in numbers)
        return Value(self, f"<{len(numbers)} x {element_type}>", f"<{inner}>")

    def load(self, pointer: Value, offset: Operand, type_: str) -> Value:
        """What stands `offset` bytes after `pointer`, at any alignment."""
        return self.emit(type_, f"load {type_}, ptr {self._address(pointer, offset).name}, align 1")

    def store(self, value: Value, pointer: Value, offset: Operand) -> None:
        """Write to `offset` bytes after `pointer`."""
        self._lines.append(f"  store {value.type} {value.name}, ptr {self._address(pointer, offset).name}, align 1")

    def shifted(self, pointer: Value, offset: Operand) -> Value:
        """The pointer `offset` bytes on."""
        return self._address(pointer, offset)

    def splat(self, value: Value, count: int) -> Value:
        """A vector of `count` times `value`."""
        type_ = f"<{count} x {value.type}>"
        one = self.emit(type_, f"insertelement {type_} poison, {value.type} {value.name}, i32 0")
        return one.pick([0] * count)

    def call(self, type_: str, function: str, *arguments: Value) -> Value:
        """A call of one of LLVM's intrinsics."""
        types = ", ".join(argument.type for argument in arguments)
        self._declared[function] = f"declare {type_} @{function}({types})"
        given = ", ".join(f"{argument.type} {argument.name}" for argument in arguments)
        return self.emit(type_, f"call {type_} @{function}({given})")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a · b + c, rounded once."""
        return self.call(a.type, f"llvm.fma.{suffix(a.type)}", a, b, c)

    def prefetch(self, pointer: Value, offset: Operand) -> None:
        """Ask for the cache line there; any address is harmless."""
        self._declared["llvm.prefetch.p0"] = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
        where = self._address(pointer, offset).name
        self._lines.append(f"  call void @llvm.prefetch.p0(ptr {where}, i32 0, i32 3, i32 1)")

    def field(self, number: int, type_: str = I64) -> Value:
        """A 64-bit field of the job."""
        return self.load(self.job, 8 * number, type_)

    def take(self, number: int, count: Value) -> Value:
        """Add `count` to a field that threads share; the value before."""
        where = self._address(self.job, 8 * number).name
        return self.emit(I64, f"atomicrmw add ptr {where}, i64 {count.name} monotonic")

    def least(self, left: Value, right: Value) -> Value:
        """The smaller of two numbers."""
        test = self.emit("i1", f"icmp slt {left.type} {left.name}, {right.name}")
        return self.emit(left.type, f"select i1 {test.name}, {left.type} {left.name}, {left.type} {right.name}")

    def choose(self, sign: Value, below: Value, other: Value) -> Value:
        """Of two vectors the elements of `below` where those of `sign` are negative, else those of `other`."""
        test = self.emit(f"<{lanes(sign.type)} x i1>", f"icmp slt {sign.type} {sign.name}, zeroinitializer")
        return self.emit(
            below.type, f"select {test.type} {test.name}, {below.type} {below.name}, {other.type} {other.name}"
        )

    def loop(
        self, count: Value, start: Sequence[Value], body: Callable[[Value, list[Value]], Sequence[Value]]
    ) -> list[Value]:
        """Run `body(index, carried)` for 0 <= index < count, which is at least 1; what the last one returned."""
        before, number = self._block, self._fresh()
        head, done = f"loop{number}", f"done{number}"
        self._lines += [f"  br label %{head}", f"{head}:"]
        self._block = head
        place = len(self._lines)  # the phis go here once the values of the next round are known
        index = Value(self, I64, f"%i{number}")
        carried = [Value(self, value.type, f"%c{number}.{k}") for k, value in enumerate(start)]
        after = body(index, carried)
        following = index + 1
        test = self.emit("i1", f"icmp slt i64 {following.name}, {count.name}")
        phis = [f"  {index.name} = phi i64 [ 0, %{before} ], [ {following.name}, %{self._block} ]"]
        for old, first, new in zip(carried, start, after, strict=True):
            phis.append(f"  {old.name} = phi {old.type} [ {first.name}, %{before} ], [ {new.name}, %{self._block} ]")
        self._lines[place:place] = phis
        self._lines += [f"  br i1 {test.name}, label %{head}, label %{done}", f"{done}:"]
        self._block = done
        return list(after)

    def each(self, count: Value, body: Callable[[Value], None]) -> None:
        """A `loop` that carries nothing."""

        def round_(index: Value, nothing: list[Value]) -> list[Value]:
            body(index)
            return nothing

        self.loop(count, [], round_)

    def share(self, body: Callable[[Value, Value], None]) -> None:
        """Take pieces from the job until none is left: `body(first, count)`. Fields 0 to 2: next, all, a piece."""
        every, piece = self.field(1), self.field(2)
        number = self._fresh()
        self._lines += [f"  br label %next{number}", f"next{number}:"]
        first = self.take(0, piece)
        left = every - first
        test = self.emit("i1", f"icmp sgt i64 {left.name}, 0")
        self._lines += [f"  br i1 {test.name}, label %work{number}, label %end{number}", f"work{number}:"]
        self._block = f"work{number}"
        body(first, self.least(left, piece))
        self._lines += [f"  br label %next{number}", f"end{number}:"]
        self._block = f"end{number}"

    def stop(self) -> None:
        """End the function."""
        self._lines.append("  ret void")

    def _fresh(self) -> int:
        self._names += 1
        return self._names

    def _address(self, pointer: Value, offset: Operand) -> Value:
        if isinstance(offset, int) and offset == 0:
            return pointer
        shown = offset.name if isinstance(offset, Value) else str(offset)
        return self.emit(PTR, f"getelementptr i8, ptr {pointer.name}, i64 {shown}")


def _float(number: float) -> str:
    """A float32 as LLVM writes it exactly: the bits of the float64 of the same value."""
    bits: int = struct.unpack("<Q", struct.pack("<d", struct.unpack("<f", struct.pack("<f", number))[0]))[0]
    return f"0x{bits:016X}"


def element(type_: str) -> str:
    """`<8 x float>` -> `float`."""
    return type_[1:-1].split(" x ")[1]


def lanes(type_: str) -> int:
    """`<8 x float>` -> 8."""
    return int(type_[1:].split(" x ")[0])


def suffix(type_: str) -> str:
    """`<8 x float>` -> `v8f32`, as names of intrinsics end."""
    return f"v{lanes(type_)}f32" if type_.startswith("<") else "f32"
