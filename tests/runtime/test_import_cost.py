"""`import runtime` is nearly free, and the library's core needs numpy and tokenizers only."""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter

import pytest

import runtime

HEAVY = ("torch", "coremltools", "PySide6", "transformers", "numba", "starlette", "uvicorn", "safetensors")
CORE = ("chat", "generation", "sampling", "session", "tokenizer", "detokenizer", "errors", "backends.base")


def loaded_after(statement: str) -> list[str]:
    code = f"import json, sys; {statement}; print(json.dumps([name for name in sys.modules if '.' not in name]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = json.loads(done.stdout)
    assert isinstance(names, list)
    return names


def test_importing_runtime_loads_neither_numpy_nor_anything_heavy() -> None:
    loaded = loaded_after("import runtime")
    assert not {"numpy", "tokenizers", *HEAVY}.intersection(loaded)


def test_the_core_loads_nothing_heavy() -> None:
    loaded = loaded_after("import " + ", ".join(f"runtime.{name}" for name in CORE))
    assert {"numpy", "tokenizers"} <= set(loaded)
    assert not set(HEAVY).intersection(loaded)


def test_importing_runtime_takes_under_0_15_seconds() -> None:
    def seconds(statement: str) -> float:
        taken = []
        for _ in range(3):
            begun = perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            taken.append(perf_counter() - begun)
        return min(taken)

    assert seconds("import runtime") - seconds("pass") < 0.15


@pytest.mark.parametrize("name", runtime.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(runtime, name)
    assert found.__doc__
    assert name in dir(runtime)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = runtime.nonsense
