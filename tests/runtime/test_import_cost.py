"""`import runtime` is nearly free, and the library's core needs numpy and tokenizers only."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import runtime

HEAVY = ("torch", "coremltools", "PySide6", "transformers", "numba", "starlette", "uvicorn", "safetensors")
CORE = ("chat", "generation", "sampling", "session", "tokenizer", "detokenizer", "errors", "backends.base")


def loaded_after(statement: str) -> list[str]:
    """Packages and modules without those within packages, but for our own."""
    told = "[name for name in sys.modules if '.' not in name or name.startswith('runtime.')]"
    code = f"import json, sys; {statement}; print(json.dumps({told}))"
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


def test_importing_runtime_loads_its_own_first_file_and_typing_alone() -> None:
    """Which is what makes it quick, on any machine."""
    assert set(loaded_after("import runtime")) - set(loaded_after("import typing")) == {"runtime"}


@pytest.mark.parametrize("name", runtime.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(runtime, name)
    assert found.__doc__
    assert name in dir(runtime)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = runtime.nonsense
