"""The chat window: PySide6 over runtime's public names."""

import ctypes
import sys

if sys.version_info < (3, 12):
    # PySide6 6.12.0 gives back one reference of True too many at each emit of a signal. From Python 3.12 on True is
    # immortal; before, the interpreter ends with the last reference, a minute or two into a streaming answer.
    ctypes.c_ssize_t.from_address(id(True)).value += 1 << 40
