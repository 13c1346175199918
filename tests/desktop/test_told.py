"""What failed, in the window's language: a lead by the class of the error, over the sentence that it has."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import desktop.settings
import desktop.store.errors
import desktop.store.transfer.errors
import desktop.views.pdf
import export.census
import export.connection
import export.halves
import export.sources
import export.space
import export.verify
import export.workfolder
import models.errors
import runtime.errors
import runtime.packages
from desktop.engine import AnswerEnd, EngineHost, RemoteModel
from desktop.library.entries import look_at
from desktop.library.export_job import ExportJob, ExportRequest
from desktop.library.service_check import ServiceCheck, ServiceVerdict
from desktop.store.errors import DiskFullError, StoreError, unwritable
from desktop.told import LEADS, told, told_as
from desktop.translation import set_language
from runtime import GenerationOptions, Memory, UserFacingError
from runtime.errors import EngineError, KeyRefusedError, ProcessKilledError
from tests.desktop.engines import question, wait
from tests.runtime.openai_server import Handler, OpenAIServer

MODULES = (
    *(desktop.store.errors, export.connection, export.sources, export.space, export.verify),
    *(export.census, export.halves, export.workfolder, desktop.settings, desktop.store.transfer.errors),
    *(desktop.views.pdf, models.errors, runtime.errors, runtime.packages),
)
CHINESE = re.compile("[\u4e00-\u9fff]")


def kinds(kind: type[UserFacingError]) -> Iterator[type[UserFacingError]]:
    for child in kind.__subclasses__():
        yield child
        yield from kinds(child)


@pytest.fixture
def chinese(application: QApplication) -> Iterator[None]:
    set_language(application, "zh_CN")
    yield
    set_language(application, "en")


def test_every_class_that_is_known_by_its_name_is_one() -> None:
    found = {name: kind for module in MODULES for name, kind in vars(module).items() if name in LEADS}
    assert found.keys() == LEADS.keys()
    assert all(issubclass(kind, UserFacingError) for kind in found.values())


def test_every_error_that_the_window_meets_is_known() -> None:
    unmet = {
        "DesktopError",  # there is no window yet
        "SessionFileError",  # the window keeps no sessions
        "PackageError", "WeightFileError", "UnsupportedOpError", "InputError",  # of the interpreter, which only checks
    }  # fmt: skip
    modules = {name for name in sys.modules if name.split(".")[0] in ("desktop", "export", "models", "runtime")}
    for kind in kinds(UserFacingError):
        if kind.__module__ in modules and not kind.__name__.startswith("_"):
            assert kind.__name__ in unmet or any(base.__name__ in LEADS for base in kind.__mro__), kind


def test_english_is_the_sentence_alone(application: QApplication) -> None:
    assert told(ProcessKilledError("It was killed.")) == "It was killed."


@pytest.mark.parametrize("name", LEADS)
def test_chinese_says_what_failed_and_then_the_sentence(chinese: None, name: str) -> None:
    lead, sentence = told_as([name], "A sentence.").split("\n")
    assert CHINESE.search(lead)
    assert sentence == "A sentence."


def test_an_error_is_told_as_the_nearest_that_is_known(chinese: None) -> None:
    class WrongKeyError(KeyRefusedError):
        """Of a program that comes later."""

    assert told(WrongKeyError("No.")) == told(KeyRefusedError("No.")) != told(EngineError("No."))


def test_an_error_that_is_not_known_is_its_sentence_in_every_language(chinese: None) -> None:
    assert told(UserFacingError("It is so; mend it.")) == "It is so; mend it."
    assert told_as(["None"], "broken") == "broken"


@pytest.fixture
def host(qtbot: QtBot) -> Iterator[EngineHost]:
    made = EngineHost()
    yield made
    made.close()


def test_a_service_that_is_not_there_is_told_in_the_windows_language(
    qtbot: QtBot, host: EngineHost, chinese: None
) -> None:
    ends: list[AnswerEnd] = []
    host.answered.connect(ends.append)
    host.load(RemoteModel(url="http://127.0.0.1:9/v1", name="gone", model=None, api_key=None))
    host.ask(1, question(), GenerationOptions())
    wait(qtbot, lambda: host.status.kind == "failed")
    lead, sentence = host.status.sentence.split("\n")
    assert lead == "无法连接远程服务：请检查其地址和网络。"
    assert sentence.startswith("There is no connection to http://127.0.0.1:9")
    wait(qtbot, lambda: bool(ends))
    assert ends[0].error == host.status.sentence


def test_a_key_that_is_refused_is_told_in_the_windows_language(qtbot: QtBot, host: EngineHost, chinese: None) -> None:
    def refuse(handler: Handler) -> None:
        handler.answer(401, {"error": {"message": "no such key"}})

    ends: list[AnswerEnd] = []
    verdicts: list[ServiceVerdict] = []
    host.answered.connect(ends.append)
    check = ServiceCheck()
    check.told.connect(verdicts.append)
    with OpenAIServer(refuse) as server:
        service = RemoteModel(url=server.url, name="far", model="far", api_key="wrong")
        host.load(service)
        host.ask(1, question(), GenerationOptions())
        check.start(service)
        wait(qtbot, lambda: bool(ends) and bool(verdicts))
    for text in (ends[0].error, verdicts[0].sentence):
        assert text is not None
        assert text.startswith("远程服务拒绝了密钥：请输入有效的密钥。\n")
        assert "no such key" in text


def test_a_bundle_that_is_none_is_told_in_the_windows_language(chinese: None, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    damaged = look_at(tmp_path, Memory(total=None, available=None)).damaged
    assert damaged is not None
    assert damaged.startswith("模型的文件无法使用。\n")


def test_a_full_disk_is_told_apart_from_one_that_cannot_be_written(tmp_path: Path) -> None:
    full, other = unwritable(tmp_path, OSError(28, "No space left on device")), unwritable(tmp_path, OSError(13, "no"))
    assert isinstance(full, DiskFullError)
    assert isinstance(other, StoreError)
    assert not isinstance(other, DiskFullError)


@pytest.mark.skipif(sys.platform == "win32", reason="Core ML packages cannot be written on Windows")
def test_an_export_that_cannot_be_is_told_in_the_windows_language(qtbot: QtBot, chinese: None, tmp_path: Path) -> None:
    job = ExportJob()
    job.start(ExportRequest(model="falcon-8b", output=tmp_path / "made"))
    wait(qtbot, lambda: job.state is not None and job.state.over)
    assert job.state is not None
    assert job.state.error is not None
    assert job.state.error.startswith("没有找到该模型。\n'falcon-8b' is neither")
