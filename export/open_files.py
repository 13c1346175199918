"""Open files: how many this process may have at once, where the system's own limit is too low for an export."""

from __future__ import annotations

from export.workfolder import ExportError

_OTHERS = 256  # of Python, libraries and the system
_EACH = 8  # of a tensor: a mapped array keeps its file open, and coremltools holds them all until the package is saved


def allow_open_files(tensors: int) -> None:
    """Raise this process's limit to what so many tensors take; macOS begins with 256 files. Raises ExportError where
    the system does not allow it."""
    import resource  # not above: Windows, which has none, is refused in a sentence

    needed = _OTHERS + _EACH * tensors
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError):
        raise ExportError(
            f"The export opens up to {needed:,} files at once and this system allows {soft:,}; raise the limit "
            f"(`ulimit -n {needed}`) and run the same command again."
        ) from None
