"""Graphics cards: what torch can compute on beside the processor, and what the driver says."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
from dataclasses import dataclass

from runtime.errors import BackendUnavailableError
from runtime.packages import install_command
from runtime.quiet import quiet

LEAST_CAPABILITY = (8, 0)
"""CUDA's compute capability from which cards multiply bfloat16: NVIDIA's Ampere and newer."""

_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Card:
    """An NVIDIA card: memory in bytes and `driver` as its driver tells them, None where it does not."""

    name: str
    memory_bytes: int | None
    driver: str | None
    free_bytes: int | None = None  # of that memory, now


@dataclass(frozen=True)
class Cards:
    """`cuda` is the CUDA version that torch was built for; `usable` says whether torch reaches the cards."""

    cards: tuple[Card, ...]
    cuda: str | None
    usable: bool
    apple_gpu: bool  # torch's `mps`


def find_cards() -> Cards:
    """Ask torch, where it is installed, and the driver."""
    cards = _from_driver()
    if importlib.util.find_spec("torch") is None:
        return Cards(cards, None, usable=False, apple_gpu=False)
    with quiet():
        import torch

        usable = torch.cuda.is_available()
        if usable and not cards:  # a container without nvidia-smi
            found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
            free = [torch.cuda.mem_get_info(index)[0] for index in range(len(found))]
            cards = tuple(Card(card.name, card.total_memory, None, now) for card, now in zip(found, free, strict=True))
        return Cards(cards, torch.version.cuda, usable=usable, apple_gpu=torch.backends.mps.is_available())


def interpreted() -> bool:
    """Whether Triton's kernels are to run on the CPU, by its interpreter: slow, for trying them without a card."""
    return os.environ.get("TRITON_INTERPRET") == "1" and _missing() is None


def card_reason() -> str | None:
    """Why the cuda backend has no card to run on, or None."""
    reason = _missing()
    if reason is not None:
        return reason
    with quiet():
        import torch

        if torch.version.cuda is None:
            return _no_cuda_reason(torch.__version__.partition("+")[0])
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            return _driver_reason(str(error), torch.version.cuda)
        if usable_cards():
            return _launching_reason()
        name, (major, minor) = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
    least = ".".join(map(str, LEAST_CAPABILITY))
    return f"{name} is too old: its compute capability is {major}.{minor}, and bfloat16 needs {least}"


def usable_cards() -> list[int]:
    """The cards that are new enough, as torch counts them. For machines where torch reaches cards."""
    import torch

    return [
        card for card in range(torch.cuda.device_count()) if torch.cuda.get_device_capability(card) >= LEAST_CAPABILITY
    ]


def free_card_bytes() -> dict[int, int]:
    """Memory of each usable card that is free now; 0 where others hold so much that CUDA does not start on it.

    Raises BackendUnavailableError where it does not start for another reason.
    """
    import torch

    free = {}
    for card in usable_cards():
        try:
            free[card] = torch.cuda.mem_get_info(card)[0]
        except RuntimeError as error:
            if not memory_ended(error) and "busy" not in str(error):  # by a process that shares it with nobody
                reason = _driver_reason(str(error), torch.version.cuda or "")
                raise BackendUnavailableError(
                    f"The cuda backend cannot run: {reason}.", option="; choose --backend torch"
                ) from None
            free[card] = 0
    return free


def memory_ended(error: RuntimeError) -> bool:
    """Whether it says that a card's memory is full: torch's allocator has a kind of error for that, CUDA itself and its
    libraries have words."""
    import torch

    words = "out of memory", "ALLOC_FAILED"
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def give_back_unused() -> None:
    """Let others have what torch holds of the cards' memory for tensors that are no more."""
    import torch

    torch.cuda.empty_cache()


def _card_used() -> int:
    """The card on which this process's tensors took most; before they take any, the first that is usable."""
    import torch

    return max(usable_cards(), key=torch.cuda.max_memory_allocated)


def card_in_use() -> Card | None:
    """The card that the cuda backend computes on, of several the one that holds most; None where Triton interprets."""
    if card_reason() is not None:
        return None
    import torch

    used = _card_used()
    name = torch.cuda.get_device_name(used)
    free, total = torch.cuda.mem_get_info(used)
    driver = next((card.driver for card in _from_driver() if card.name == name), None)
    return Card(name, total, driver, free)


def peak_card_bytes() -> int:
    """The most bytes that this process's tensors took at once, on the card that had most."""
    import torch

    return torch.cuda.max_memory_allocated(_card_used())


def card_bandwidth(*, size: int = 1 << 30, passes: int = 15) -> float:
    """Bytes a second, read and written, of copies of `size` bytes on the card in use: the median pass. Of less where
    not four times as much is free."""
    import torch

    device = torch.device("cuda", _card_used())
    size = min(size, torch.cuda.mem_get_info(device)[0] // 4)
    source, target = (torch.empty(size, dtype=torch.uint8, device=device) for _ in range(2))
    target.copy_(source)
    seconds: list[float] = []
    for _ in range(passes):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begun.record(torch.cuda.current_stream(device))
        target.copy_(source)
        ended.record(torch.cuda.current_stream(device))
        ended.synchronize()
        seconds.append(begun.elapsed_time(ended) / 1000)
    return 2 * size / statistics.median(seconds)


def _missing() -> str | None:
    for package in ("torch", "triton"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed (`{install_command('cuda')}`, on Linux with an NVIDIA card)"
    return None


def _launching_reason() -> str | None:
    """Why Triton cannot launch kernels, or None. What launches them it compiles where a process first needs it, long
    after the weights were loaded, with a C compiler that many machines lack."""
    if interpreted():
        return None
    from triton.runtime import driver

    try:
        _ = driver.active.utils
    except (AssertionError, ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        why = (
            "the C compiler failed" if isinstance(error, subprocess.SubprocessError) else str(error).partition("\n")[0]
        )
        return (
            f"Triton cannot build what launches its kernels ({why.rstrip('.')}); it needs a C compiler and Python's "
            "headers (`apt install gcc python3-dev`)"
        )
    return None


def _no_cuda_reason(version: str) -> str:
    """What a torch without CUDA means: nothing where there is no card."""
    if not _from_driver():
        return "there is no NVIDIA card, or no driver that tells of one (`nvidia-smi` names none)"
    command = f"pip install --force-reinstall torch=={version}"
    return f"this torch is built without CUDA (`{command}` takes Linux's build with it)"


def _driver_reason(message: str, cuda: str) -> str:
    """What torch's message about a CUDA that does not start means."""
    if "too old" in message:
        return f"NVIDIA's driver is too old for this torch, which is built for CUDA {cuda}; update the driver"
    if "no NVIDIA driver" in message:
        return "there is no NVIDIA driver; install it where there is a card"
    if "No CUDA GPUs" in message:
        return "torch sees no NVIDIA card (CUDA_VISIBLE_DEVICES may hide it)"
    return f"CUDA does not start ({message.splitlines()[0] if message else 'no reason given'})"


def _from_driver() -> tuple[Card, ...]:
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(filter(None, map(parse_card, done.stdout.splitlines())))


def parse_card(line: str) -> Card | None:
    """A line of nvidia-smi's answer; None for a line that is something else."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 4:
        return None
    name, total, driver, free = fields
    return Card(name, _mebibytes(total), driver, _mebibytes(free))


def _mebibytes(text: str) -> int | None:
    return int(text) * 2**20 if text.isdigit() else None
