"""Open files: how many this process may have at once, where the system's own limit is lower than an export needs."""

from __future__ import annotations

_OTHERS = 256  # of Python, libraries and the system
_EACH = 8  # of a tensor: a mapped array keeps its file open, and coremltools keeps the array until the end


def allow_open_files(tensors: int) -> None:
    """Raise this process's limit towards what so many tensors take at most; macOS begins with 256 files."""
    import resource  # not above: Windows, which has none, is refused in a sentence

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OTHERS + _EACH * tensors
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
