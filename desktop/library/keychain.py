"""Keychain: keys of remote services in the system's keychain, asked in a thread of its own.

A keychain may open a dialog, or wait for one, so nothing here is done in the window's thread. Keys are in no message,
log or repr, and never in a file of ours: where there is no keychain they last as long as the program runs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject

from desktop.mailbox import Mailbox

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_log = logging.getLogger(__name__)
_SERVICE = "Falconet"
_NOT_SAFE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")  # nowhere, or files that anyone reads


@dataclass(frozen=True, kw_only=True)
class KeychainAnswer:
    """What became of a question. `secret` is None where there is none; `notice` is a sentence where the keychain could
    not be used."""

    secret: str | None = field(default=None, repr=False)
    notice: str | None = None


Reply = Callable[[KeychainAnswer], None]


class Keychain(QObject):
    """Keys by account, a name of the caller's that stays the same, such as a service's number. Replies come in the
    window's thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mailbox: Mailbox[tuple[Reply, KeychainAnswer]] = Mailbox(self, self._read)
        self._keys = _Keys(self._mailbox)

    def get(self, account: str, reply: Reply) -> None:
        """The key of an account."""
        self._keys.ask(reply, lambda keys: keys.get(account))

    def set(self, account: str, secret: str, reply: Reply) -> None:
        """Keep a key; where the keychain cannot, it is kept for this run of the program and `notice` says so."""
        self._keys.ask(reply, lambda keys: keys.set(account, secret))

    def delete(self, account: str, reply: Reply) -> None:
        """Forget a key."""
        self._keys.ask(reply, lambda keys: keys.delete(account))

    def close(self) -> None:
        """No more replies. Waits for nothing: a dialog of the system's may be open."""
        self._mailbox.close()
        self._keys.leave()

    def _read(self) -> None:
        while not self._mailbox.rest():
            for reply, answer in self._mailbox.take():
                reply(answer)


class _Keys:
    """The keychain's thread, and what is done in it."""

    def __init__(self, mailbox: Mailbox[tuple[Reply, KeychainAnswer]]) -> None:
        self._mailbox = mailbox
        self._for_now: dict[str, str] = {}  # keys that no keychain took
        self._questions: queue.SimpleQueue[tuple[Reply, Callable[[_Keys], KeychainAnswer]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="keychain", daemon=True).start()

    def ask(self, reply: Reply, question: Callable[[_Keys], KeychainAnswer]) -> None:
        """Post the answer to `question`."""
        self._questions.put((reply, question))

    def leave(self) -> None:
        """End the thread when it can."""
        self._questions.put(None)

    def _run(self) -> None:
        while (asked := self._questions.get()) is not None:
            reply, question = asked
            self._mailbox.post((reply, question(self)))

    def get(self, account: str) -> KeychainAnswer:
        """See Keychain."""
        if account in self._for_now:
            return KeychainAnswer(secret=self._for_now[account])
        try:
            return KeychainAnswer(secret=_backend().get_password(_SERVICE, account))
        except Exception as error:  # noqa: BLE001  (backends raise errors of their own kinds, D-Bus's among them)
            return KeychainAnswer(notice=_why(error, translate("Keychain", "enter the service's key again.")))

    def set(self, account: str, secret: str) -> KeychainAnswer:
        """See Keychain."""
        try:
            _backend().set_password(_SERVICE, account, secret)
        except Exception as error:  # noqa: BLE001
            self._for_now[account] = secret
            rest = translate("Keychain", "the key is kept until the program ends, and must then be entered again.")
            return KeychainAnswer(secret=secret, notice=_why(error, rest))
        self._for_now.pop(account, None)
        return KeychainAnswer(secret=secret)

    def delete(self, account: str) -> KeychainAnswer:
        """See Keychain."""
        self._for_now.pop(account, None)
        try:
            backend = _backend()
            if backend.get_password(_SERVICE, account) is not None:
                backend.delete_password(_SERVICE, account)
        except _NoKeychainError:
            return KeychainAnswer()  # it was in none
        except Exception as error:  # noqa: BLE001
            return KeychainAnswer(
                notice=_why(error, translate("Keychain", "the key may still be in it, under the name Falconet."))
            )
        return KeychainAnswer()


def _why(error: Exception, rest: str) -> str:
    from keyring.errors import KeyringLocked

    _log.info("the keychain could not be used: %s", type(error).__name__)  # its text might hold a key
    if isinstance(error, _NoKeychainError):
        return translate("Keychain", "This machine has no keychain: {rest}").format(rest=rest)
    if isinstance(error, KeyringLocked):
        return translate("Keychain", "The keychain is locked: {rest}").format(rest=rest)
    return translate("Keychain", "The keychain could not be used: {rest}").format(rest=rest)


class _NoKeychainError(Exception):
    """No backend that keeps a secret."""


def _backend() -> KeyringBackend:
    """The system's keychain. Backends that write plain text, or nothing, are none."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    found = keyring.get_keyring()
    choices = found.backends if isinstance(found, ChainerBackend) else [found]
    for backend in choices:
        if not type(backend).__module__.startswith(_NOT_SAFE):
            return backend
    raise _NoKeychainError
