"""Kernels for 64-bit ARM on any machine: compiled for it by LLVM, run by Unicorn, QEMU's processor as a library.

A job's own arrays are all that may be read, and of those only its output, and the job itself, written.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Sequence
from typing import Any

from elftools.elf.elffile import ELFFile
from llvmlite import binding
from unicorn import UC_ARCH_ARM64, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, UC_MEM_WRITE, UC_MODE_ARM, Uc
from unicorn.arm64_const import UC_ARM64_REG_LR, UC_ARM64_REG_SP, UC_ARM64_REG_X0, UC_CPU_ARM64_MAX

from models.kernels.activations import write_quantize
from models.kernels.forms import SPAN, WHOLE_FORMS, Job
from models.kernels.instructions import Neon
from models.kernels.products import DENSE_FORMS, write_expand, write_product

_PAGE = 4096
_CODE, _STACK, _STACK_BYTES = 0x10_0000, 0x80_0000, 0x1_0000
_END = 0x8_0000  # where the function returns to


class ArmKernel:
    """Runs as models.kernels.machine.Kernel does, and keeps to the arrays of its job."""

    def __init__(self, text: str, name: str, cpu: str) -> None:
        self._image, self._entry = _linked(_compiled(text, cpu), name)

    def arrays(self, job: Sequence[int]) -> list[tuple[int, int, bool]]:
        """Of a job: address, bytes, and whether it is written."""
        raise NotImplementedError

    def run(self, job: ctypes.Array[ctypes.c_int64]) -> None:
        """All units of the job."""
        where = ctypes.addressof(job)
        arrays = [(where, 8 * Job.FIELDS, True), *self.arrays(list(job))]
        machine = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        machine.ctl_set_cpu_model(UC_CPU_ARM64_MAX)
        pages = {page for start, size, _ in arrays for page in range(start // _PAGE, (start + size - 1) // _PAGE + 1)}
        for page in pages:
            machine.mem_map(page * _PAGE, _PAGE)
        for start, size, _ in arrays:
            machine.mem_write(start, ctypes.string_at(start, size))
        machine.mem_map(_CODE, (len(self._image) // _PAGE + 1) * _PAGE)
        machine.mem_write(_CODE, self._image)
        machine.mem_map(_STACK, _STACK_BYTES)
        strays: list[str] = []

        def touched(_: Uc, kind: int, address: int, size: int, __: int, ___: object) -> None:
            own = [(_STACK, _STACK_BYTES, True), (_CODE, len(self._image), False), *arrays]
            writes = kind == UC_MEM_WRITE
            inside = (start <= address and address + size <= start + length for start, length, _ in own)
            if not any(fits and (writable or not writes) for fits, (_, _, writable) in zip(inside, own, strict=True)):
                strays.append(f"{'write' if writes else 'read'} of {size} bytes at {address:#x}")

        machine.hook_add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, touched)
        for register, value in (
            (UC_ARM64_REG_X0, where),
            (UC_ARM64_REG_SP, _STACK + _STACK_BYTES),
            (UC_ARM64_REG_LR, _END),
        ):
            machine.reg_write(register, value)
        machine.emu_start(_CODE + self._entry, _END)
        assert not strays, strays[:5]
        for start, size, writable in arrays:
            if writable:
                ctypes.memmove(start, bytes(machine.mem_read(start, size)), size)

    def run_shared(self, job: ctypes.Array[ctypes.c_int64], most: int) -> None:  # noqa: ARG002
        """By one thread, which takes all pieces."""
        self.run(job)


class ArmProduct(ArmKernel):
    """A product of `tokens` vectors."""

    def __init__(self, form: str, tokens: int, rows: int, cpu: str = "apple-m1") -> None:
        super().__init__(write_product(Neon(), form, tokens, rows), "product", cpu)
        self._form, self._tokens, self._rows = form, tokens, rows

    def arrays(self, job: Sequence[int]) -> list[tuple[int, int, bool]]:
        columns = job[Job.SPANS] * SPAN
        found = [*_matrix(self._form, job, self._rows), (job[Job.OUT], self._tokens * job[Job.OUT_BYTES], True)]
        if self._form in DENSE_FORMS:
            return [*found, (job[Job.X], self._tokens * columns * 4, False)]
        return [
            *found,
            (job[Job.X], self._tokens * columns * 2, False),
            (job[Job.X_SCALES], self._tokens * columns // 2, False),
        ]


class ArmExpander(ArmKernel):
    """A packed matrix to float32."""

    def __init__(self, form: str, rows: int, cpu: str = "apple-m1") -> None:
        super().__init__(write_expand(Neon(), form, rows), "expand", cpu)
        self._form, self._rows = form, rows

    def arrays(self, job: Sequence[int]) -> list[tuple[int, int, bool]]:
        first, last = job[Job.NEXT] * self._rows, job[Job.UNITS] * self._rows
        out = job[Job.OUT] + first * job[Job.OUT_BYTES], (last - first) * job[Job.OUT_BYTES], True
        return [*_matrix(self._form, job, self._rows), out]


class ArmQuantizer(ArmKernel):
    """Activations to whole numbers."""

    def __init__(self, order: tuple[int, ...], cpu: str = "apple-m1") -> None:
        super().__init__(write_quantize(Neon(), order), "quantize", cpu)

    def arrays(self, job: Sequence[int]) -> list[tuple[int, int, bool]]:
        numbers = job[Job.UNITS] * job[Job.SPANS] * SPAN
        return [
            (job[Job.X], numbers * 4, False),
            (job[Job.OUT], numbers * 2, True),
            (job[Job.X_SCALES], numbers // 2, True),
        ]


def _matrix(form: str, job: Sequence[int], row_count: int) -> list[tuple[int, int, bool]]:
    """The packed rows and what stands beside them, up to the job's last unit of `row_count`."""
    rows = job[Job.UNITS] * row_count
    weights = (job[Job.WEIGHTS], rows * job[Job.ROW_BYTES], False)
    if form in DENSE_FORMS:
        return [weights]
    records = rows if WHOLE_FORMS[form].aux_a_row else -(-rows // job[Job.GROUP])
    return [weights, (job[Job.AUX], records * job[Job.AUX_BYTES], False)]


def _compiled(text: str, cpu: str) -> bytes:
    """An object file for Linux, whose format is the simplest to read; instructions are the same for macOS."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = binding.parse_assembly(text)
    module.verify()
    machine = binding.Target.from_triple("aarch64-linux-gnu").create_target_machine(cpu=cpu, features="", opt=3)
    return bytes(machine.emit_object(module))


def _linked(code: bytes, name: str) -> tuple[bytes, int]:
    """The sections of an object file as they lie from _CODE on, and where function `name` is among them."""
    file = ELFFile(io.BytesIO(code))
    image, places = bytearray(), {}
    for number, section in enumerate(file.iter_sections()):
        if section["sh_flags"] & 2:  # takes memory
            image += bytes(-len(image) % max(16, section["sh_addralign"]))
            places[number] = len(image)
            image += section.data()
    symbols: Any = file.get_section_by_name(".symtab")
    for section in file.iter_sections():
        if section["sh_type"] == "SHT_RELA" and section["sh_info"] in places:
            for entry in section.iter_relocations():
                symbol = symbols.get_symbol(entry["r_info_sym"])
                target = _CODE + places[symbol["st_shndx"]] + symbol["st_value"] + entry["r_addend"]
                _relocate(image, places[section["sh_info"]] + entry["r_offset"], entry["r_info_type"], target)
    [entry_symbol] = symbols.get_symbol_by_name(name)
    return bytes(image), places[entry_symbol["st_shndx"]] + entry_symbol["st_value"]


def _relocate(image: bytearray, place: int, kind: int, target: int) -> None:
    """Put an address into an instruction. (ELF for the Arm 64-bit Architecture, section 5.7.)"""
    word = int.from_bytes(image[place : place + 4], "little")
    try:
        quarter = [264, 266, 268, 269].index(kind)  # R_AARCH64_MOVW_UABS_G0_NC and the next: 16 bits each
    except ValueError:
        raise NotImplementedError(f"relocation {kind}") from None
    word |= (target >> 16 * quarter & 0xFFFF) << 5
    image[place : place + 4] = word.to_bytes(4, "little")
