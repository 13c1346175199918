"""Random programs over one state: shortcuts included, they do what copying at every step does."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch

from runtime.mil.compiler import compile_function
from runtime.mil.graph import Block, Constant, Function, Op, Value
from runtime.mil.plan import Options
from runtime.mil.state import analyse
from runtime.mil.weights.budget import MemoryBudget

ROWS, COLUMNS = 3, 2
ACTIONS = ("read", "update", "write", "slice", "maximum", "cycle", "cycle")


def _numbers(*items: int) -> Constant:
    return Constant("int32", (len(items),), data=np.array(items, np.int32))


class Script:
    """A random program and, beside it, its results by copying."""

    def __init__(self, choose: Callable[[int], int], length: int) -> None:
        self.ops: list[Op] = []
        self.outputs: list[str] = []
        self.steps: list[Callable[[dict[str, np.ndarray]], None]] = []
        self._choose = choose
        self._wholes: list[str] = []  # values of the state's shape
        self._action_read()
        for _ in range(length):
            getattr(self, "_action_" + ACTIONS[choose(len(ACTIONS))])()

    def _add(self, kind: str, rows: int, **inputs: str | Constant) -> str:
        name = f"v{len(self.ops)}"
        outputs = (Value(name, "fp16", (rows, COLUMNS)),) if rows else ()
        self.ops.append(Op(kind, name, {key: (item,) for key, item in inputs.items()}, outputs))
        return name

    def _some(self) -> str:
        # The newest values most often, as converters do.
        return self._wholes[-1 - min(self._choose(4), len(self._wholes) - 1)]

    def _action_read(self) -> None:
        self._read()

    def _action_write(self) -> None:
        self._write(self._some())

    def _action_update(self) -> None:
        self._update(self._some())

    def _action_cycle(self) -> None:
        """Read, change and write back, as every layer does to a cache; now and then something else in between."""
        value = self._read()
        for _ in range(1 + self._choose(2)):
            value = self._update(value)
            if self._choose(3) == 0:
                getattr(self, "_action_" + ACTIONS[self._choose(len(ACTIONS))])()
        self._write(value)

    def _read(self) -> str:
        name = self._add("read_state", ROWS, input="state")
        self._wholes.append(name)
        self.steps.append(lambda values: values.update({name: values["state"].copy()}))
        return name

    def _write(self, source: str) -> None:
        self._add("write_state", 0, input="state", data=source)
        self.steps.append(lambda values: values.update(state=values[source].copy()))

    def _update(self, source: str) -> str:
        row, amount = self._choose(ROWS), float(len(self.ops) + 1)
        update = Constant("fp16", (1, COLUMNS), data=np.full((1, COLUMNS), amount, np.float16))
        ends = {"begin": _numbers(row, 0), "end": _numbers(row + 1, COLUMNS)}
        name = self._add("slice_update", ROWS, x=source, update=update, **ends)
        self._wholes.append(name)

        def step(values: dict[str, np.ndarray]) -> None:
            values[name] = values[source].copy()
            values[name][row] = amount

        self.steps.append(step)
        return name

    def _action_slice(self) -> None:
        source, row = self._some(), self._choose(ROWS)
        name = self._add("slice_by_index", 1, x=source, begin=_numbers(row, 0), end=_numbers(row + 1, COLUMNS))
        self.outputs.append(name)
        self.steps.append(lambda values: values.update({name: values[source][row : row + 1].copy()}))

    def _action_maximum(self) -> None:
        first, second = self._some(), self._some()
        name = self._add("maximum", ROWS, x=first, y=second)
        self._wholes.append(name)
        self.outputs.append(name)
        self.steps.append(lambda values: values.update({name: np.maximum(values[first], values[second])}))

    def function(self) -> Function:
        state = Value("state", "fp16", (ROWS, COLUMNS), is_state=True)
        return Function("main", 18, (state,), Block((), tuple(self.ops), tuple(self.outputs)))


def test_random_programs_behave_as_if_copied_at_every_step() -> None:
    shortcuts = 0
    for seed in range(2500):
        generator = random.Random(seed)
        script = Script(generator.randrange, generator.randint(1, 7))
        function = script.function()
        shortcuts += len(analyse(function.block).in_place)
        plan = compile_function(function, {}, MemoryBudget(0), Options())
        content = np.arange(ROWS * COLUMNS, dtype=np.float16).reshape(ROWS, COLUMNS)
        state = torch.from_numpy(content.copy())
        values = {"state": content}
        for _ in range(2):
            results = plan.run({"state": state}, script.outputs)
            for step in script.steps:
                step(values)
            for name, tensor in results.items():
                np.testing.assert_array_equal(tensor.float(), values[name].astype(np.float32), err_msg=f"seed {seed}")
            np.testing.assert_array_equal(state, values["state"], err_msg=f"seed {seed}")
    assert shortcuts > 300, "too few programs took the shortcut for this to test it"
