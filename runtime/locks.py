"""Locks on open files, which end with the process that holds them, however it ends."""

from __future__ import annotations

import errno
import sys
from typing import IO

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def try_lock(file: IO[str]) -> bool:
    """Lock `file` for this process; False where another one has it.

    True as well where the disk knows no locks, as a network's may: whoever works there alone, as nearly everyone does,
    must not be kept from it. Raises OSError.
    """
    if sys.platform == "win32":
        raise NotImplementedError  # nothing is exported there
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if not lacks_locks(error):
            raise
    return True


def lacks_locks(error: OSError) -> bool:
    """Whether a lock was refused since the disk knows none."""
    return error.errno in _NO_LOCKS
