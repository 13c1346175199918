"""One way to compile a numeric loop: machine code that releases the GIL and is kept on disk between runs."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile `function` at its first call, keeping its signature for the type checker.

    A compiled function may call only compiled functions of its own file: the cache on disk is renewed when that file
    changes and would not see a change elsewhere. Division by zero gives infinity or NaN, as in numpy.
    """
    return cast(_Function, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
