"""Kernels in CUDA C++: compiled by NVRTC, which comes with torch for cards, and launched by the driver."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

# Of CUfunction_attribute: the bytes that a launch may ask for, and the share (%) of the cache that is to be so used.
_SHARED_LIMIT, _SHARED_SHARE = 8, 9


@dataclass(frozen=True)
class Compiled:
    """One source for one architecture: as the virtual machine's text, and as the card's code."""

    ptx: str
    cubin: bytes


def compile_source(source: str, architecture: int, defines: Sequence[tuple[str, int]]) -> Compiled:
    """`architecture` is 10 times the compute capability. Raises OSError without NVRTC, ValueError with its log."""
    library = _nvrtc()
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = [f"-arch=sm_{architecture}", "-std=c++17", *(f"-D{name}={value}" for name, value in defines)]
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = library.nvrtcCompileProgram(program, len(options), given)
    try:
        if failed:
            raise ValueError(_told(library, program, "ProgramLog").decode(errors="replace"))
        return Compiled(_told(library, program, "PTX").rstrip(b"\0").decode(), _told(library, program, "CUBIN"))
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _told(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, text)
    return text.raw


@cache
def _nvrtc() -> ctypes.CDLL:
    """That of torch's own CUDA version where torch has one, else whichever is installed."""
    major = (torch.version.cuda or "").split(".")[0]
    for name in [f"libnvrtc.so.{major}", "libnvrtc.so"] if major else ["libnvrtc.so"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        for file in sorted(Path(folder).glob(f"*/lib/libnvrtc.so.{major or '*'}")):
            return ctypes.CDLL(str(file))
    raise OSError("NVRTC is not installed")


class Function:
    """The function `name` of a cubin, on the current card."""

    def __init__(self, cubin: bytes, name: str, shared_bytes: int) -> None:
        """`shared_bytes` is the most that a launch asks for."""
        self._driver = ctypes.CDLL("libcuda.so.1")
        self._code = ctypes.create_string_buffer(cubin)  # the driver may read it later than now
        module, self._function = ctypes.c_void_p(), ctypes.c_void_p()
        self._checked(self._driver.cuModuleLoadData(ctypes.byref(module), self._code))
        self._checked(self._driver.cuModuleGetFunction(ctypes.byref(self._function), module, name.encode()))
        self._checked(self._driver.cuFuncSetAttribute(self._function, _SHARED_LIMIT, shared_bytes))
        self._checked(self._driver.cuFuncSetAttribute(self._function, _SHARED_SHARE, 100))

    def __call__(self, blocks: int, threads: int, shared_bytes: int, parameter: bytes) -> None:
        """Launch on torch's current stream. `parameter` is the function's only one, a structure by value."""
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        held = ctypes.create_string_buffer(parameter, len(parameter))
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(held))
        self._checked(
            self._driver.cuLaunchKernel(
                self._function, blocks, 1, 1, threads, 1, 1, shared_bytes, stream, arguments, None
            )
        )

    def _checked(self, result: int) -> None:
        if result:
            told = ctypes.c_char_p()
            self._driver.cuGetErrorString(result, ctypes.byref(told))
            raise RuntimeError(f"CUDA error: {(told.value or b'unknown').decode()}")
