"""TransferController: chats to and from files that the user names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop.controllers.prints import Print
from desktop.controllers.store_work import StoreWork
from desktop.files import file_name
from desktop.settings import ContextPolicy
from desktop.store.store import Store
from desktop.store.transfer import (
    Kind,
    Paper,
    Progress,
    export_chats,
    import_file,
    import_in_pieces,
    is_large,
    render_paper,
    size_of,
)
from desktop.told import told
from desktop.views.models.asking import ask
from desktop.views.pdf import check_place, write_pdf
from desktop.views.progress import import_words, progress_dialog
from runtime import GenerationOptions, UserFacingError

_log = logging.getLogger(__name__)

_ENDINGS: dict[str, Kind] = {".md": "markdown", ".html": "html", ".json": "json", ".zip": "archive"}
PDF = ".pdf"
_LONG = 1_000_000  # bytes of chats: importing them is shown at once, as it takes longer than one waits without a word
_PARTS = 1000  # of the bar of an import or a PDF
_READ = 0.2  # share of the time of a PDF: behind it, its chats are read


class TransferController(QObject):
    """Asks for a file, and says in a sentence what was done. What fails is one of runtime's sentences, told as well."""

    imported = Signal(object)  # ids of chats
    told = Signal(str, bool)  # a sentence, whether all went well

    def __init__(self, store: Store, window: QWidget, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._window = store, window
        self._unread: dict[StoreWork, tuple[Sequence[int], Path]] = {}  # PDFs whose chats are being read
        self._prints: list[Print] = []  # that are made
        self._work: list[StoreWork] = []  # that something is still done of
        self._import: StoreWork | None = None  # whose end is not sure yet
        self.context_policy = GenerationOptions().context_policy
        """Of chats that other programs wrote."""

    def ask_export(self, chats: Sequence[int], title: str) -> None:
        """Ask where to, and write these chats; the file's ending says how."""
        filters = {
            self.tr("Markdown (*.md)"): ".md",
            self.tr("Web page (*.html)"): ".html",
            self.tr("PDF (*.pdf)"): PDF,
            self.tr("JSON, with every alternative (*.json)"): ".json",
        }
        if len(chats) > 1:
            filters |= {self.tr("Archive of Markdown, a file for each chat (*.zip)"): ".zip"}
        self._ask(chats, title, filters)

    def ask_export_all(self) -> None:
        """Ask where to, and write every chat, those of the archive too."""
        chats = [chat.id for archived in (False, True) for chat in self._store.chats(archived=archived)]
        if not chats:
            self.told.emit(self.tr("There are no chats to export."), True)
            return
        filters = {
            self.tr("JSON, with every alternative (*.json)"): ".json",
            self.tr("Archive of Markdown, a file for each chat (*.zip)"): ".zip",
        }
        self._ask(chats, f"Falconet {date.today().isoformat()}", filters)

    def _ask(self, chats: Sequence[int], title: str, filters: dict[str, str]) -> None:
        usual = next(iter(filters.values()))
        name, chosen = QFileDialog.getSaveFileName(
            self._window, self.tr("Export Chats"), file_name(title) + usual, ";;".join(filters)
        )
        if not name:
            return
        file = Path(name)
        if file.suffix.lower() in (*_ENDINGS, PDF):
            self.export(chats, file)
            return
        file = file.with_name(file.name + filters.get(chosen, usual))
        if not file.exists():
            self.export(chats, file)
            return
        ask(  # the system's dialog asked about the name without its ending
            self._window,
            self.tr("Replace {name}?").format(name=file.name),
            detail=self.tr("A file of this name is there already. What it holds is lost."),
            button=self.tr("Replace"),
            action=lambda: self.export(chats, file),
        )

    def export(self, chats: Sequence[int], file: Path) -> None:
        """Write these chats to `file`, in the form that its ending names. Raises UserFacingError; what is written
        beside the window, which is all but a single chat's Markdown and JSON, may fail later."""
        if file.suffix.lower() == PDF:
            check_place(file)
            self._print(chats, file)
        elif len(chats) > 1 or _ENDINGS[file.suffix.lower()] == "html":  # whose formulas and colours take long
            self._export(chats, file)
        else:
            export_chats(self._store, chats, file, _ENDINGS[file.suffix.lower()])
            self._tell_written(len(chats), file)

    def _export(self, chats: Sequence[int], file: Path) -> None:
        """Write chats beside the window; how far it is is shown where that takes longer."""
        job = StoreWork(self._store.folder, partial(_write_chats, chats, file), "export", self)
        said = self.tr("Chats are being written to {file}…").format(file=file.name)
        progress = progress_dialog(self._window, self.tr("Export Chats"), said, len(chats))
        progress.canceled.connect(job.cancel)

        def ended(failure: Exception | None) -> None:
            if job not in self._work:  # the program ended meanwhile
                return
            progress.deleteLater()
            if failure is not None:
                raise failure
            if not job.cancelled:
                self._tell_written(len(chats), file)

        job.went.connect(progress.setValue)
        job.ended.connect(ended)
        self._start(job)

    def _start(self, job: StoreWork) -> None:
        def left() -> None:
            if job in self._work:
                self._work.remove(job)
                job.deleteLater()

        job.left.connect(left)
        self._work.append(job)
        job.start()

    def close(self) -> None:
        """End exports, whose files are whole or not there, and an import, of which nothing stays; write PDFs that are
        under way: formulas that were not drawn yet as their source."""
        while self._work:
            self._work.pop().close()
        self._import = None
        late: list[Callable[[], None]] = [partial(self._write_unread, *wanted) for wanted in self._unread.values()]
        late += [job.finish for job in self._prints]
        self._unread.clear()
        self._prints.clear()
        for write in late:
            try:
                write()
            except Exception:  # noqa: BLE001  (a bug's too: what else is to be closed must be)
                _log.exception("a PDF was not written before the program ended")

    def _write_unread(self, chats: Sequence[int], file: Path) -> None:
        write_pdf(render_paper(self._store, chats), {}, file)

    def _print(self, chats: Sequence[int], file: Path) -> None:
        """Write a PDF: its chats are read and its formulas drawn beside the window, the rest is made in steps."""
        pages: list[Paper] = []
        reading = StoreWork(self._store.folder, partial(_read_paper, chats, pages), "paper", self)
        said = self.tr("{file} is being written…").format(file=file.name)
        progress = progress_dialog(self._window, self.tr("Export Chats"), said, _PARTS)

        def cancel() -> None:
            reading.cancel()
            self._unread.pop(reading, None)  # at once: the program may end before the reading has

        def begin(failure: Exception | None) -> None:
            if self._unread.pop(reading, None) is None:  # the program ended, or nobody wants it
                progress.deleteLater()
            elif failure is not None:
                progress.deleteLater()
                raise failure
            else:
                make(Print(pages[0], file, self))

        def make(job: Print) -> None:
            def leave() -> None:
                if job in self._prints:
                    self._prints.remove(job)
                progress.deleteLater()
                job.deleteLater()

            def ended(failure: Exception | None) -> None:
                leave()
                if failure is not None:
                    raise failure
                self._tell_written(len(chats), file)

            def went(share: float) -> None:
                progress.setValue(int(_PARTS * (_READ + (1 - _READ) * share)))

            job.went.connect(went)
            job.ended.connect(ended)
            progress.canceled.connect(job.cancel)
            progress.canceled.connect(leave)
            self._prints.append(job)
            job.start()

        progress.canceled.connect(cancel)
        reading.ended.connect(begin)
        self._unread[reading] = (chats, file)
        self._start(reading)

    def _tell_written(self, chats: int, file: Path) -> None:
        self.told.emit(self.tr("%n chat(s) written to {file}.", "", chats).format(file=file), True)

    def ask_import(self) -> None:
        """Ask which file, and add its chats."""
        names, _ = QFileDialog.getOpenFileNames(
            self._window, self.tr("Import Chats"), "", self.tr("Chats (*.json *.zip);;All files (*)")
        )
        if names:
            self.load(*map(Path, names))

    def load(self, *files: Path) -> None:
        """Add the chats of files of this program, ChatGPT or LM Studio; one that cannot be read keeps none of the
        others out, and why is told. Large ones are added beside the window: `imported` comes later."""
        if self._import is not None:
            self.told.emit(
                self.tr("Chats are being imported: wait until they are there, then import the others."), False
            )
        elif any(map(is_large, files)):
            self._load_beside(files)
        else:
            chats: list[int] = []
            errors: list[UserFacingError] = []
            for file in files:
                try:
                    chats += import_file(self._store, file, context_policy=self.context_policy)
                except UserFacingError as error:
                    errors.append(error)
            self._tell_imported(chats, errors)

    def _load_beside(self, files: Sequence[Path]) -> None:
        size = sum(map(size_of, files))
        said = import_words(files[0].name, Progress("reading", 0, size, 0.0))
        shown = progress_dialog(self._window, self.tr("Import Chats"), said, _PARTS)
        if size > _LONG:
            shown.show()
        chats: list[int] = []
        errors: list[UserFacingError] = []
        add = partial(_add_chats, files, self.context_policy, chats, errors)
        job = self._import = StoreWork(self._store.folder, add, "import", self)

        def went(report: tuple[int, Progress]) -> None:
            place, progress = report
            shown.setValue(int(_PARTS * (place + progress.overall) / len(files)))
            shown.setLabelText(import_words(files[place].name, progress))

        def ended(failure: Exception | None) -> None:
            if job not in self._work:  # the program ended meanwhile
                return
            self._import = None
            if isinstance(failure, UserFacingError):
                errors.append(failure)
            shown.deleteLater()  # which cancels nothing, as closing it would
            if job.cancelled and not chats:
                cancelled = self.tr("The import was cancelled; no chats were added.")
                self.told.emit("\n".join([cancelled, *map(told, errors)]), not errors)
            else:
                self._tell_imported(chats, errors)
            if failure is not None and not isinstance(failure, UserFacingError):
                raise failure

        job.went.connect(went)
        job.ended.connect(ended)
        shown.canceled.connect(job.cancel)
        shown.canceled.connect(shown.hide)
        self._start(job)

    def _tell_imported(self, chats: Sequence[int], errors: Sequence[UserFacingError]) -> None:
        if chats:
            self.imported.emit(list(chats))
        sentences = [told(error) for error in errors]
        if chats or not errors:
            sentences.insert(0, self.tr("%n chat(s) were imported.", "", len(chats)))
        self.told.emit("\n".join(sentences), not errors)


def _write_chats(chats: Sequence[int], file: Path, store: Store, passed: Callable[[int], None]) -> None:
    export_chats(store, chats, file, _ENDINGS[file.suffix.lower()], passed=passed)


def _read_paper(chats: Sequence[int], pages: list[Paper], store: Store, went: Callable[[None], None]) -> None:
    pages.append(render_paper(store, chats, lambda: went(None)))


def _add_chats(
    files: Sequence[Path],
    context_policy: ContextPolicy,
    chats: list[int],
    errors: list[UserFacingError],
    store: Store,
    went: Callable[[tuple[int, Progress]], None],
) -> None:
    """Add to `chats` what is whole, however it ends. `went` is told how many files are behind it, and the next."""
    for place, file in enumerate(files):

        def passed(progress: Progress, place: int = place) -> None:
            went((place, progress))

        try:
            chats += import_in_pieces(store, file, passed, context_policy=context_policy)
        except UserFacingError as error:
            errors.append(error)
