"""From the ops of a function to steps: each op is bound once to its kernel and to the places of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from runtime.mil.blob import BlobFile
from runtime.mil.errors import UnsupportedOpError
from runtime.mil.graph import Binding, Block, Constant, Function, Op, Value
from runtime.mil.ops import KERNELS, Kernel
from runtime.mil.ops.slicing import write_slice
from runtime.mil.plan import Call, Options, Plan, Step, Values, expanded, run_steps
from runtime.mil.state import StateUse, analyse, last_uses
from runtime.mil.weights.budget import MemoryBudget, WeightHandle, as_tensor
from runtime.mil.weights.constexpr import CONSTEXPR_OPS, packed_constant, packed_weights
from runtime.mil.weights.packed import PackedWeight

Reader = Callable[[Values], Any]
_STATE_OPS = ("read_state", "write_state")
_BLOCK_OPS = ("cond", "while_loop")


def check_ops(functions: Mapping[str, Function]) -> None:
    """Raise UnsupportedOpError naming every op that cannot be run, and where each is used first."""
    unknown: dict[str, str] = {}
    for function in functions.values():
        for op in function.block.walk():
            known = op.type in KERNELS or op.type in CONSTEXPR_OPS or op.type in ("const", *_STATE_OPS, *_BLOCK_OPS)
            if not known:
                unknown.setdefault(op.type, f"{op.type} (used by {op.name or op.outputs[0].name})")
    if unknown:
        raise UnsupportedOpError(
            f"The interpreter does not know these ops of the program: {', '.join(unknown.values())}. "
            "Convert the model without them or run it on a Mac."
        )


def compile_function(function: Function, files: Mapping[str, BlobFile], budget: MemoryBudget, options: Options) -> Plan:
    """The plan of a function; raises UnsupportedOpError."""
    compiler = _Compiler(function, files, budget, options)
    for value in function.inputs:
        compiler.place(value.name)
    use = analyse(function.block)
    steps = compiler.block(function.block, use)
    return Plan(tuple(steps), compiler.template, compiler.places, compiler.magnitudes)


class _Compiler:
    """Binds the ops of one function."""

    def __init__(
        self, function: Function, files: Mapping[str, BlobFile], budget: MemoryBudget, options: Options
    ) -> None:
        self.template: Values = []
        self.places: dict[str, int] = {}
        self.magnitudes: dict[str, float] = {}
        self._opset = function.opset
        self._files = files
        self._budget = budget
        self._options = options
        self._constants: dict[str, Constant] = {}
        self._packed: dict[str, PackedWeight] = {}
        self._halves: set[str] = set()  # values held in 16 bits: states and what is written to them

    def place(self, name: str, value: Any = None) -> int:
        """A new place in the list for the value of this name."""
        self.places[name] = len(self.template)
        self.template.append(value)
        return self.places[name]

    def block(self, block: Block, use: StateUse) -> list[Step]:
        """Steps of a block, constants left out: they are in the list from the start."""
        last = last_uses(block)
        steps: list[Step] = []
        defined: dict[str, int] = {}
        for number, op in enumerate(block.ops):
            if op.type == "const":
                self._constants[op.outputs[0].name] = self._constant(op.inputs["val"][0])
                continue
            if op.type in CONSTEXPR_OPS:
                for value, packed in zip(op.outputs, packed_weights(op, self._packed, self._files), strict=True):
                    self._packed[value.name] = packed
                    self.place(value.name, self._handle(packed))
                continue
            call = self._bind(op, number, use)
            for value in op.outputs:
                defined[value.name] = number
            dead = [name for name, made in defined.items() if max(made, last.get(name, -1)) <= number]
            for name in dead:
                del defined[name]
            steps.append(Step(call, tuple(self.places[name] for name in dead), op))
        for name in block.outputs:
            self._tensor_place(name)
        return steps

    def _bind(self, op: Op, number: int, use: StateUse) -> Call:
        match op.type:
            case "read_state":
                return self._read_state(op, borrow=number in use.borrowed)
            case "write_state":
                return self._write_state(op)
            case "cond":
                return self._cond(op)
            case "while_loop":
                return self._while_loop(op)
        return self._kernel(op, in_place=number in use.in_place)

    # Constants and where values are.

    def _constant(self, binding: Binding) -> Constant:
        if isinstance(binding, Constant):
            return binding
        return self._constants[binding]

    def _handle(self, packed: PackedWeight) -> WeightHandle:
        return WeightHandle(packed, self._budget, round_to_fp16=self._options.round_to_fp16)

    def _tensor_place(self, binding: Binding) -> int:
        """Where the tensor of a binding is; constants get their place when they are first wanted as one."""
        if isinstance(binding, str):
            if binding in self.places:
                return self.places[binding]
            name, constant = binding, self._constants[binding]
        else:
            name, constant = f"({len(self.template)})", binding
        packed = packed_constant(constant, self._files)
        return self.place(name, self._handle(packed) if constant.is_stored else as_tensor(packed.expand()))

    def _is_weight(self, place: int) -> bool:
        return isinstance(self.template[place], WeightHandle)

    # Ops with a kernel.

    def _kernel(self, op: Op, *, in_place: bool) -> Call:
        kernel = KERNELS[op.type]
        self._check_inputs(op, kernel)
        tensors = [self._tensor_reader(op, kernel, key) for key in kernel.tensors]
        fixed: dict[str, Any] = {}
        computed: dict[str, Reader] = {}
        for key in kernel.numbers:
            if key in op.inputs:
                self._number(op, key, fixed, computed, as_list=key in kernel.lists)
        if kernel.takes_opset:
            fixed["opset"] = self._opset
        while tensors and tensors[-1] is None:
            tensors.pop()  # optional ones left out at the end
        function = write_slice if in_place else kernel.function
        return self._stored(op, partial(function, **fixed) if fixed else function, tensors, computed)

    def _check_inputs(self, op: Op, kernel: Kernel) -> None:
        spare = [key for key in op.inputs if key not in kernel.tensors and key not in kernel.numbers]
        missing = [key for key in kernel.required if key not in op.inputs]
        if spare or missing:
            what = f"has an unknown input {spare[0]}" if spare else f"lacks its input {missing[0]}"
            raise UnsupportedOpError(
                f"The {op.type} op {op.name} {what}; the interpreter does not know this form of it."
            )

    def _tensor_reader(self, op: Op, kernel: Kernel, key: str) -> int | Reader | None:
        """A plain place where the value is used as it lies, else what reads it; None for an optional one left out."""
        if key not in op.inputs:
            return None
        readers = [
            self._reader(binding, keeps_weight=key in kernel.weights, takes_half=kernel.takes_half)
            for binding in op.inputs[key]
        ]
        if key not in kernel.lists:
            return readers[0]
        return lambda values: [_read(values, reader) for reader in readers]

    def _reader(self, binding: Binding, *, keeps_weight: bool, takes_half: bool) -> int | Reader:
        place = self._tensor_place(binding)
        if self._is_weight(place) and not keeps_weight:
            handle: WeightHandle = self.template[place]
            return lambda _: handle.dense()
        if binding in self._halves and not takes_half:
            return lambda values: values[place].float()
        return place

    def _number(self, op: Op, key: str, fixed: dict[str, Any], computed: dict[str, Reader], *, as_list: bool) -> None:
        """Bind a parameter that the kernel wants as plain Python."""
        bindings = op.inputs[key]
        if all(isinstance(binding, Constant) or binding in self._constants for binding in bindings):
            plain = [self._plain(self._constant(binding)) for binding in bindings]
            fixed[key] = plain if as_list else plain[0]
            return
        places = [self._tensor_place(binding) for binding in bindings]
        if as_list:
            computed[key] = lambda values: [values[place].tolist() for place in places]
        else:
            place = places[0]
            computed[key] = lambda values: values[place].tolist()

    def _plain(self, constant: Constant) -> Any:
        if isinstance(constant.data, str | list):
            return constant.data
        return packed_constant(constant, self._files).expand().tolist()

    def _stored(
        self,
        op: Op,
        function: Callable[..., Any],
        tensors: Sequence[int | Reader | None],
        computed: Mapping[str, Reader],
    ) -> Call:
        """The call that reads its inputs from the list of values and puts its results there."""
        places = [item for item in tensors if isinstance(item, int)]
        compute: Reader
        if len(places) == len(tensors) and not computed:
            compute = _plain_call(function, places)
        else:

            def compute(values: Values) -> Any:
                numbers = {key: reader(values) for key, reader in computed.items()}
                return function(*[_read(values, item) for item in tensors], **numbers)

        return self._storing(op, compute)

    def _storing(self, op: Op, compute: Reader) -> Call:
        finish = self._finish(op)
        places = [self.place(value.name) for value in op.outputs]
        if len(places) != 1 or op.type in ("split", "topk"):

            def store_all(values: Values) -> None:
                for place, result, end in zip(places, compute(values), finish, strict=True):
                    values[place] = result if end is None else end(result)

            return store_all
        place, end = places[0], finish[0]
        if end is None:

            def store(values: Values) -> None:
                values[place] = compute(values)

            return store

        def store_finished(values: Values) -> None:
            values[place] = end(compute(values))

        return store_finished

    def _finish(self, op: Op) -> list[Callable[[Tensor], Tensor] | None]:
        """What is done to each result of 16-bit type before it is stored."""
        reads_half = any(binding in self._halves for bindings in op.inputs.values() for binding in bindings)
        if op.type == "slice_update" and op.inputs["x"][0] in self._halves:
            self._halves.add(op.outputs[0].name)
        finish: list[Callable[[Tensor], Tensor] | None] = []
        for value in op.outputs:
            steps: list[Callable[[Tensor], Tensor]] = []
            if value.dtype == "fp16":
                if value.name not in self._halves:
                    if reads_half and op.type == "slice_by_index":
                        steps.append(Tensor.float)  # a copy: what was read stays when the state changes
                    elif self._options.round_to_fp16:
                        steps.append(_round_to_fp16)
                if self._options.trace_magnitudes:
                    steps.append(partial(self._trace, value.name))
            finish.append(_chain(steps))
        return finish

    def _trace(self, name: str, result: Tensor) -> Tensor:
        largest = float(result.abs().max()) if result.numel() else 0.0
        # NaN, which no comparison finds larger, stays once seen.
        before = self.magnitudes.get(name, 0.0)
        self.magnitudes[name] = before if before != before or largest < before else largest
        return result

    # States.

    def _read_state(self, op: Op, *, borrow: bool) -> Call:
        source = self._tensor_place(op.inputs["input"][0])
        target = self.place(op.outputs[0].name)
        self._halves.add(op.outputs[0].name)

        def read(values: Values) -> None:
            values[target] = values[source] if borrow else values[source].clone()

        return read

    def _write_state(self, op: Op) -> Call:
        state = self._tensor_place(op.inputs["input"][0])
        reader = self._reader(op.inputs["data"][0], keeps_weight=False, takes_half=True)

        def write(values: Values) -> None:
            value = _read(values, reader)
            if value is not values[state]:
                values[state].copy_(value)

        return write

    # Ops with blocks.

    def _nested(self, block: Block) -> tuple[tuple[Step, ...], list[int]]:
        steps = tuple(self.block(block, StateUse()))
        return steps, [self._tensor_place(name) for name in block.outputs]

    def _outputs(self, outputs: Sequence[Value]) -> list[int]:
        return [self.place(value.name) for value in outputs]

    def _cond(self, op: Op) -> Call:
        condition = self._tensor_place(op.inputs["pred"][0])
        branches = [self._nested(block) for block in op.blocks]
        targets = self._outputs(op.outputs)

        def choose(values: Values) -> None:
            steps, results = branches[0 if bool(values[condition]) else 1]
            run_steps(steps, values)
            for target, result in zip(targets, results, strict=True):
                values[target] = expanded(values[result])

        return choose

    def _while_loop(self, op: Op) -> Call:
        starts = [self._reader(item, keeps_weight=False, takes_half=False) for item in op.inputs["loop_vars"]]
        condition, body = op.blocks
        condition_inputs = self._outputs(condition.inputs)
        condition_steps, condition_results = self._nested(condition)
        body_inputs = self._outputs(body.inputs)
        body_steps, body_results = self._nested(body)
        targets = self._outputs(op.outputs)

        def loop(values: Values) -> None:
            current = [_read(values, reader) for reader in starts]
            while True:
                _assign(values, condition_inputs, current)
                run_steps(condition_steps, values)
                if not bool(expanded(values[condition_results[0]])):
                    break
                _assign(values, body_inputs, current)
                run_steps(body_steps, values)
                current = [expanded(values[place]) for place in body_results]
            _assign(values, targets, current)

        return loop


def _read(values: Values, reader: int | Reader | None) -> Any:
    if isinstance(reader, int):
        return values[reader]
    return None if reader is None else reader(values)


def _assign(values: Values, places: Sequence[int], items: Sequence[Any]) -> None:
    for place, item in zip(places, items, strict=True):
        values[place] = item


def _plain_call(function: Callable[..., Any], places: Sequence[int]) -> Reader:
    """A call on values as they lie; one and two inputs, the most frequent, without a loop."""
    if len(places) == 1:
        only = places[0]
        return lambda values: function(values[only])
    if len(places) == 2:
        first, second = places
        return lambda values: function(values[first], values[second])
    return lambda values: function(*[values[place] for place in places])


def _round_to_fp16(result: Tensor) -> Tensor:
    return result.to(torch.float16).to(torch.float32)


def _chain(steps: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor] | None:
    if len(steps) < 2:
        return steps[0] if steps else None

    def apply(result: Tensor) -> Tensor:
        for step in steps:
            result = step(result)
        return result

    return apply
