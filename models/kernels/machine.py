"""What runs kernels: LLVM compiles them in memory for this processor, and torch's own threads share their rows.

A kernel takes the address of its job: int64 fields, of which the first three say how rows are shared (see Code.share).
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from models.kernels.code import Instructions
from models.kernels.instructions import instructions_of

Job = ctypes.Array[ctypes.c_int64]
_Kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Kernel:
    """A compiled function and what keeps it in memory."""

    def __init__(self, text: str, name: str) -> None:
        from llvmlite import binding

        machine = _target_machine()
        module = binding.parse_assembly(text)
        module.verify()
        self._engine = binding.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        self.address = self._engine.get_function_address(name)
        self._call = _Kernel(self.address)

    def run(self, job: Job) -> None:
        """On the calling thread."""
        self._call(ctypes.addressof(job))

    def run_shared(self, job: Job, most: int) -> None:
        """On as many threads as torch uses, `most` at most. Which thread takes which rows does not change a result."""
        threads = min(torch.get_num_threads(), most)
        if threads == 1:
            self.run(job)
        elif (parallel := _openmp()) is not None:
            parallel(self.address, ctypes.addressof(job), threads, 0)
        else:
            others = [_pool(threads).submit(self.run, job) for _ in range(threads - 1)]
            self.run(job)
            for other in others:
                other.result()


@functools.cache
def instructions() -> Instructions | None:
    """Of this machine's processor; None where kernels cannot be compiled or run here."""
    try:
        from llvmlite import binding
    except ImportError:
        return None
    return instructions_of(binding.get_process_triple(), _features())


def supported() -> bool:
    """Whether kernels can be compiled and run here: llvmlite is there, and AVX2 or 64-bit ARM."""
    return instructions() is not None


def _features() -> Any:
    """Of this processor, by LLVM's names; none where the system does not tell, as macOS may not."""
    from llvmlite import binding

    try:
        return binding.get_host_cpu_features()
    except RuntimeError:
        return binding.FeatureMap()


def _target_machine() -> Any:
    """One for each module: its engine frees it."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=_features().flatten(), opt=3
    )


@functools.cache
def _openmp() -> Callable[[int, int, int, int], None] | None:
    """The parallel region of the OpenMP library that torch has loaded, whose threads are then the same; or None.

    GNU's has it, and LLVM's, which a Mac's torch has, under the same name.
    """
    if sys.platform == "win32":  # whose library has no such function
        return None
    folder = Path(torch.__file__).parent / "lib"
    # By its name alone on Linux: whoever loads a library of that name before torch has torch take it, too.
    names = [file.name for file in folder.glob("libgomp*.so*")] + [str(file) for file in folder.glob("libomp*.dylib")]
    for name in sorted(names):
        try:  # only what is loaded: LLVM's ends a process that loads a second one
            function = ctypes.CDLL(name, mode=os.RTLD_NOW | os.RTLD_NOLOAD).GOMP_parallel
        except (OSError, AttributeError):
            continue
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        function.restype = None
        call: Callable[[int, int, int, int], None] = function
        return call
    return None


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, min(threads, os.cpu_count() or 1) - 1), thread_name_prefix="kernels")
