"""ErrorTeller: what goes wrong where nobody expected it, told in the window instead of lost on a terminal."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication

from desktop.told import told
from desktop.views.banner import Banner
from runtime import UserFacingError

_log = logging.getLogger(__name__)
_MOST_BYTES = 1_000_000  # of the file; it begins anew when it is larger


class ErrorTeller:
    """Takes Python's hook for exceptions, which Qt calls for those of slots, while the window is open.

    A UserFacingError is its sentence. Anything else is a bug: its traceback goes to `file`, and the banner says where.
    """

    def __init__(self, banner: Banner, file: Path) -> None:
        self._banner, self._file = banner, file
        self._before = sys.excepthook
        sys.excepthook = self._tell

    def end(self) -> None:
        """Give the hook back."""
        if sys.excepthook == self._tell:
            sys.excepthook = self._before

    def _tell(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, UserFacingError):
            self._banner.show_notice(told(error))
            return
        self._before(kind, error, trace)
        if not isinstance(error, Exception):
            return
        try:
            fresh = not self._file.exists() or self._file.stat().st_size > _MOST_BYTES
            with self._file.open("w" if fresh else "a", encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(kind, error, trace)) + "\n")
        except OSError as unwritable:
            _log.warning("%s cannot be written: %s", self._file, unwritable)
        self._banner.show_notice(
            QCoreApplication.translate(
                "ErrorTeller", "Something went wrong in Falconet itself ({error}); the details are in {file}."
            ).format(error=kind.__name__, file=self._file)
        )
