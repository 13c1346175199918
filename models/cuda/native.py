"""Kernels in CUDA C++, compiled by NVRTC and launched by the driver, through what torch for cards brings with it."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from triton.runtime.cache import get_cache_manager


@dataclass(frozen=True)
class Compiled:
    """One source for one architecture: as the virtual machine's text, and as the card's code."""

    ptx: str
    cubin: bytes


def compile_file(file: Path, architecture: int, defines: Sequence[tuple[str, int]]) -> Compiled:
    """`file` may include others of its folder; `architecture` is 10 times the compute capability.

    Raises OSError without NVRTC, ValueError with its log.
    """
    nvrtc = _bindings("nvrtc")
    try:
        program = _made(nvrtc, nvrtc.nvrtcCreateProgram(file.read_bytes(), file.name.encode(), 0, [], []))
    except RuntimeError as error:  # of what loads libraries
        raise OSError("NVRTC is not installed") from error
    options = [f"-I{file.parent}".encode(), *_options(architecture, defines)]
    (failed,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    try:
        if failed:
            raise ValueError(_told(nvrtc, program, "ProgramLog").decode(errors="replace").rstrip("\0\n"))
        return Compiled(_told(nvrtc, program, "PTX").rstrip(b"\0").decode(), _told(nvrtc, program, "CUBIN"))
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def kept_cubin(file: Path, architecture: int, defines: Sequence[tuple[str, int]]) -> bytes:
    """That of `compile_file`; compiled once, it is kept where Triton keeps its kernels."""
    key = hashlib.sha256(repr([torch.version.cuda, *_options(architecture, defines)]).encode())
    for part in sorted(file.parent.glob("*.cu*")):
        key.update(part.read_bytes())
    kept = get_cache_manager(key.hexdigest())
    name = f"{file.stem}.cubin"
    if (found := kept.get_file(name)) is not None:
        return Path(found).read_bytes()
    cubin = compile_file(file, architecture, defines).cubin
    kept.put(cubin, name)
    return cubin


def prefer_shared_memory(device: torch.device) -> None:
    """On this card, kernels that do not say how a multiprocessor's memory is split get as much shared memory as it has.

    The split of one that is not empty cannot change: a kernel that wants all of it could not begin beside them.
    """
    driver = _bindings("driver")
    with _current(_context(device)):
        _made(driver, driver.cuCtxSetCacheConfig(driver.CUfunc_cache.CU_FUNC_CACHE_PREFER_SHARED))


class Function:
    """The function `name` of a cubin, on one card."""

    def __init__(self, cubin: bytes, name: str, shared_bytes: int, device: torch.device) -> None:
        """`shared_bytes` is the most that a launch asks for."""
        self._driver = driver = _bindings("driver")
        self._device = device
        self._context = _context(device)
        attribute = driver.CUfunction_attribute
        with _current(self._context):
            self._module = _made(driver, driver.cuModuleLoadData(cubin))
            self._function = _made(driver, driver.cuModuleGetFunction(self._module, name.encode()))
            for kind, value in (
                (attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes),
                (attribute.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 100),  # %
            ):
                _made(driver, driver.cuFuncSetAttribute(self._function, kind, value))

    def __call__(self, blocks: int, threads: int, shared_bytes: int, parameter: bytes, *, early: bool) -> None:
        """Launch on torch's current stream. `parameter` is the function's only one, a structure by value.

        `early`: while the kernel before it ends, which the function waits for itself (compute capability 9.0 and on).
        """
        driver = self._driver
        config = driver.CUlaunchConfig()
        config.gridDimX, config.gridDimY, config.gridDimZ = blocks, 1, 1
        config.blockDimX, config.blockDimY, config.blockDimZ = threads, 1, 1
        config.sharedMemBytes = shared_bytes
        config.hStream = driver.CUstream(torch.cuda.current_stream(self._device).cuda_stream)
        if early:
            attribute = driver.CUlaunchAttribute()
            attribute.id = driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
            attribute.value.programmaticStreamSerializationAllowed = 1
            config.attrs = [attribute]
        config.numAttrs = int(early)
        held = ctypes.create_string_buffer(parameter, len(parameter))
        pointers = (ctypes.c_void_p * 1)(ctypes.addressof(held))
        with _current(self._context):
            _made(driver, driver.cuLaunchKernelEx(config, self._function, pointers, 0))


def _context(device: torch.device) -> Any:
    """That which torch has on this card."""
    driver = _bindings("driver")
    torch.cuda.init()  # type: ignore[no-untyped-call]
    number = torch.cuda.current_device() if device.index is None else device.index
    return _made(driver, driver.cuDevicePrimaryCtxRetain(_made(driver, driver.cuDeviceGet(number))))


@contextmanager
def _current(context: Any) -> Iterator[None]:
    """A thread of which torch has asked nothing yet has no context, or another card's."""
    driver = _bindings("driver")
    _made(driver, driver.cuCtxPushCurrent(context))
    try:
        yield
    finally:
        _made(driver, driver.cuCtxPopCurrent())


def _bindings(part: str) -> Any:
    try:
        return importlib.import_module(f"cuda.bindings.{part}")
    except ModuleNotFoundError as error:
        raise OSError("cuda-bindings is not installed") from error


def _options(architecture: int, defines: Sequence[tuple[str, int]]) -> list[bytes]:
    defined = [f"-D{name}={value}" for name, value in defines]
    return [option.encode() for option in (f"-arch=sm_{architecture}", "-std=c++17", *defined)]


def _told(nvrtc: Any, program: Any, what: str) -> bytes:
    text = bytes(_made(nvrtc, getattr(nvrtc, f"nvrtcGet{what}Size")(program)))
    _made(nvrtc, getattr(nvrtc, f"nvrtcGet{what}")(program, text))
    return text


def _made(library: Any, results: tuple[Any, ...]) -> Any:
    """What a call gives beside its result. Raises RuntimeError where that tells of an error."""
    failed, *made = results
    if failed:
        ask = getattr(library, "cuGetErrorString", None) or library.nvrtcGetErrorString
        raise RuntimeError(f"CUDA error: {ask(failed)[1].decode()}")
    return made[0] if made else None
