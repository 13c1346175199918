"""Import: large files of chats added by a thread of its own, while the window goes on with the same chats."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.mailbox import Mailbox
from desktop.settings import ContextPolicy
from desktop.store.store import Store
from desktop.store.transfer import CancelledError, import_in_pieces
from desktop.views.conversation.work import patience
from runtime import UserFacingError

_LEAVE_SECONDS = 0.5  # what a thread that is under way when the program ends has added is removed by the next start


@dataclass
class _End:
    chats: list[int] = field(default_factory=list)
    errors: list[UserFacingError] = field(default_factory=list)
    bug: Exception | None = None


class Import(QObject):
    """Begins at once. Files that are whole stay when it is cancelled; of the one that is not, nothing does."""

    went = Signal(int)  # percent
    ended = Signal(object, object)  # ids of chats, and what was raised: a list of UserFacingErrors

    def __init__(
        self, folder: Path, files: Sequence[Path], context_policy: ContextPolicy, parent: QObject | None = None
    ) -> None:
        """`folder`: of the chats."""
        super().__init__(parent)
        self._cancelled = threading.Event()
        self._mailbox: Mailbox[int | _End] = Mailbox(self, self._take)
        arguments = (folder, tuple(files), context_policy, self._mailbox, self._cancelled)
        self._thread = threading.Thread(target=_run, args=arguments, name="import", daemon=True)
        self._thread.start()

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Add no more; `ended` comes later."""
        self._cancelled.set()

    def close(self) -> None:
        """The program ends; `ended` does not come."""
        self.cancel()
        self._mailbox.close()
        self._thread.join(_LEAVE_SECONDS)

    def _take(self) -> None:
        for item in self._mailbox.take():
            if isinstance(item, int):
                self.went.emit(item)
                continue
            self.ended.emit(item.chats, item.errors)
            if item.bug is not None:
                raise item.bug
        if not self._mailbox.rest():
            self._take()


def _run(
    folder: Path,
    files: tuple[Path, ...],
    context_policy: ContextPolicy,
    mailbox: Mailbox[int | _End],
    cancelled: threading.Event,
) -> None:
    end = _End()
    done = 0

    def went(share: float) -> None:
        if cancelled.is_set():
            raise CancelledError
        mailbox.post(int(100 * (done + share) / len(files)))

    try:
        with patience, closing(Store.open(folder)) as store:
            for done, file in enumerate(files):  # noqa: B007  (`went` tells it)
                try:
                    end.chats += import_in_pieces(store, file, went, context_policy=context_policy)
                except UserFacingError as error:
                    end.errors.append(error)
    except CancelledError:
        pass  # what was whole before is in `end`
    except UserFacingError as error:
        end.errors.append(error)
    except Exception as error:  # noqa: BLE001  (it is raised in the window's thread)
        end.bug = error
    mailbox.post(end)
