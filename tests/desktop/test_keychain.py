"""Keys of services: in the system's keychain, or for this run only; never in a log, a repr or a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, PasswordSetError
from pytestqt.qtbot import QtBot

from desktop.library.keychain import Keychain, KeychainAnswer
from tests.desktop.engines import wait

SECRET = "sk-very-secret"


class InMemory(KeyringBackend):
    """A keychain that works, or that `trouble` keeps from working."""

    priority = 1

    def __init__(self, trouble: Exception | None = None) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.trouble = trouble

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def keyring_as_before() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def keychain(qtbot: QtBot) -> Iterator[Keychain]:
    made = Keychain()
    yield made
    made.close()


def ask(qtbot: QtBot, keychain: Keychain, verb: str, *arguments: str) -> KeychainAnswer:
    answers: list[KeychainAnswer] = []
    getattr(keychain, verb)(*arguments, answers.append)
    wait(qtbot, lambda: bool(answers))
    return answers[0]


def test_a_key_is_kept_in_the_systems_keychain_and_found_by_the_next_run(qtbot: QtBot, keychain: Keychain) -> None:
    backend = InMemory()
    keyring.set_keyring(backend)
    assert ask(qtbot, keychain, "get", "1") == KeychainAnswer()
    assert ask(qtbot, keychain, "set", "1", SECRET) == KeychainAnswer(secret=SECRET)
    assert backend.kept == {("Falconet", "1"): SECRET}
    assert ask(qtbot, Keychain(), "get", "1").secret == SECRET
    assert ask(qtbot, keychain, "delete", "1") == KeychainAnswer()
    assert backend.kept == {}
    assert ask(qtbot, keychain, "delete", "1") == KeychainAnswer()


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (fail.Keyring(), "no keychain"),
        (null.Keyring(), "no keychain"),
        (InMemory(KeyringLocked(f"{SECRET} locked")), "is locked"),
        (InMemory(PasswordSetError(SECRET)), "could not be used"),
        (InMemory(OSError(SECRET)), "could not be used"),
    ],
    ids=["none", "null", "locked", "refuses", "breaks"],
)
def test_without_a_keychain_a_key_lasts_for_this_run_and_is_written_nowhere(
    qtbot: QtBot,
    keychain: Keychain,
    backend: KeyringBackend,
    words: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    keyring.set_keyring(backend)
    with caplog.at_level(logging.DEBUG):
        kept = ask(qtbot, keychain, "set", "1", SECRET)
        found = ask(qtbot, keychain, "get", "1")
        unknown = ask(qtbot, keychain, "get", "2")
        ask(qtbot, keychain, "delete", "1")
        gone = ask(qtbot, keychain, "get", "1")
    assert kept.notice is not None
    assert words in kept.notice
    assert "until the program ends" in kept.notice
    assert (found.secret, found.notice) == (SECRET, None)
    assert (unknown.secret, gone.secret) == (None, None)
    assert words in (unknown.notice or "")
    told = f"{kept!r}{found!r}{keychain!r}{kept.notice}{unknown.notice}{caplog.text}"
    assert SECRET not in told
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_chain_of_keychains_uses_the_first_that_is_safe(
    qtbot: QtBot, keychain: Keychain, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PlainText(InMemory):
        """As keyrings.alt's, which writes a file that anyone reads."""

    PlainText.__module__ = "keyrings.alt.file"
    unsafe, safe = PlainText(), InMemory()
    monkeypatch.setattr(ChainerBackend, "backends", [unsafe, safe])
    keyring.set_keyring(ChainerBackend())
    ask(qtbot, keychain, "set", "1", SECRET)
    assert unsafe.kept == {}
    assert safe.kept == {("Falconet", "1"): SECRET}
