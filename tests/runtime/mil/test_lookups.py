"""What an input that picks entries of a table may hold: as the operating system's version defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.mil import InputError, Program
from tests.runtime.mil.conversion import ct, mb, numbers, save, types

WEIGHT = numbers(24, 20, seed=1)


def test_before_ios_17_indices_of_a_table_count_from_its_end(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((1, 2), dtype=types.int32)], opset_version=ct.target.iOS16)
    def program(ids: Any) -> Any:
        return mb.gather(x=WEIGHT, indices=mb.squeeze(x=ids, axes=[0]), axis=1, name="columns")

    save(program, tmp_path / "early.mlpackage", ct.target.iOS16)
    opened = Program.open(tmp_path / "early.mlpackage")
    columns = opened.predict({"ids": np.array([[-20, 19]], np.int32)})["columns"]
    np.testing.assert_array_equal(columns, WEIGHT[:, [0, 19]])
    for wrong in (-21, 20):
        with pytest.raises(InputError, match=f"Input ids holds {wrong} where the program takes -20 to 19"):
            opened.predict({"ids": np.array([[0, wrong]], np.int32)})


def test_indices_that_the_program_computes_are_not_refused(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((2,), dtype=types.int32)], opset_version=ct.target.iOS18)
    def program(ids: Any) -> Any:
        return mb.gather(x=WEIGHT, indices=mb.maximum(x=ids, y=np.int32(0)), axis=0, name="rows")

    save(program, tmp_path / "computed.mlpackage")
    rows = Program.open(tmp_path / "computed.mlpackage").predict({"ids": np.array([-7, 3], np.int32)})["rows"]
    np.testing.assert_array_equal(rows, WEIGHT[[0, 3]])
