"""Print: a page as a PDF, made in steps between which the window does what it has to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.store.transfer import Paper
from desktop.text import Drawing, draw
from desktop.views.conversation.work import work
from desktop.views.pdf import pdf_steps, write_pdf

_DRAWN = 0.4  # share of the time of a PDF: behind it, all formulas are drawn


class Print(QObject):
    """One PDF. Its formulas are drawn beside the window, one at a time so that those in sight come between."""

    went = Signal(float)  # the share that is behind it, 0 to 1
    ended = Signal(object)  # what it failed with; None where it is written. Not where it is cancelled

    def __init__(self, page: Paper, file: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._page, self._file = page, file
        self._wanted = list(dict.fromkeys((formula.source, formula.display) for formula in page.formulas))
        self._drawings: dict[tuple[str, bool], Drawing | None] = {}
        self._over = False

    def start(self) -> None:
        """Begin."""
        if len(self._drawings) == len(self._wanted):
            self._write(pdf_steps(self._page, self._drawings, self._file))
            return
        key = self._wanted[len(self._drawings)]

        def go_on(job: Print, made: Drawing | None) -> None:
            if not job._over:
                job._drawings[key] = made
                job.went.emit(_DRAWN * len(job._drawings) / len(job._wanted))
                job.start()

        work().submit(partial(draw, *key), self, go_on)

    def cancel(self) -> None:
        """Do nothing more: no file appears."""
        self._over = True

    def finish(self) -> None:
        """Write it now: formulas that were not drawn yet as their source. Raises UserFacingError."""
        self._over = True
        write_pdf(self._page, self._drawings, self._file)

    def _write(self, steps: Iterator[float]) -> None:
        """A step, and the next one when the window has done what it had to do."""
        if self._over:
            return
        try:
            share = next(steps)
        except StopIteration:
            self.ended.emit(None)
        except Exception as error:  # noqa: BLE001  (whoever is told raises it; its progress must not stay for ever)
            self.ended.emit(error)
        else:
            self.went.emit(_DRAWN + (1 - _DRAWN) * share)
            QTimer.singleShot(0, self, partial(self._write, steps))
