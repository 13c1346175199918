"""Every op gives what coremltools' own value inference gives, or torch where coremltools infers nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from runtime.mil import Program
from tests.runtime.mil import cases_elementwise, cases_math, cases_shape
from tests.runtime.mil.conversion import Case, save_cases

TABLES = {"elementwise": cases_elementwise.CASES, "shape": cases_shape.CASES, "math": cases_math.CASES}
GROUPS = {
    (table, opset): [case for case in cases if case.opset == opset]
    for table, cases in TABLES.items()
    for opset in sorted({case.opset for case in cases})
}
Results = Callable[[tuple[str, int], int], list[np.ndarray]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of a case; all cases of a table are run together, as one saved program."""
    done: dict[tuple[str, int], dict[str, np.ndarray]] = {}

    def of(group: tuple[str, int], number: int) -> list[np.ndarray]:
        if group not in done:
            path = tmp_path_factory.mktemp("ops") / f"{group[0]}{group[1]}.mlpackage"
            fed = save_cases(GROUPS[group], path)
            done[group] = Program.open(path).predict(fed)
        names = [name for name in done[group] if name.startswith(f"c{number}_")]
        return [done[group][name] for name in sorted(names)]

    return of


@pytest.mark.parametrize(
    ("group", "number", "case"),
    [
        pytest.param(group, number, case, id=str(case))
        for group, cases in GROUPS.items()
        for number, case in enumerate(cases)
    ],
)
def test_an_op_agrees_with_an_independent_source(
    group: tuple[str, int], number: int, case: Case, results: Results
) -> None:
    got, wanted = results(group, number), case.wanted()
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.size == theirs.size
        np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, rtol=2e-5, atol=2e-6)
