"""The program: how it starts, refuses, meets itself and ends. Each test starts real processes, without a screen."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.errors import DesktopError
from desktop.interrupts import Interrupts
from desktop.screen import check_screen
from desktop.settings import Settings
from desktop.shell import Shell
from runtime import install_command
from tests import patience
from tests.desktop.engines import wait

PAINTED = """
import sys
from desktop.__main__ import main
raise SystemExit(main(sys.argv[1:], lambda: print("painted", flush=True)))
"""


class Program:
    """`python -m desktop` in a process of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PAINTED, *arguments],
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_painted(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "painted\n"

    def end(self) -> tuple[int, str]:
        """Exit code and what it said on stderr."""
        _, words = self.process.communicate(timeout=patience.SECONDS)
        return self.process.returncode, words


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Those that a test put in are killed after it."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate(timeout=patience.SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window_and_the_program_ends_well(
    programs: list[Program], tmp_path: Path, number: signal.Signals
) -> None:
    program = Program("--data", str(tmp_path / "data"))
    programs.append(program)
    program.wait_until_painted()
    program.process.send_signal(number)
    code, words = program.end()
    assert code == 0
    assert "Traceback" not in words
    assert (tmp_path / "data" / "window.ini").is_file()  # the window was closed, not dropped


def test_a_second_start_shows_the_first_window_and_ends(programs: list[Program], tmp_path: Path) -> None:
    first = Program("--data", str(tmp_path / "data"))
    programs.append(first)
    first.wait_until_painted()
    second = Program("--data", str(tmp_path / "data"))
    programs.append(second)
    assert second.end()[0] == 0
    assert first.process.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process")
def test_a_second_start_beside_a_first_that_hangs_says_so(programs: list[Program], tmp_path: Path) -> None:
    first = Program("--data", str(tmp_path / "data"))
    programs.append(first)
    first.wait_until_painted()
    first.process.send_signal(signal.SIGSTOP)
    second = Program("--data", str(tmp_path / "data"))
    programs.append(second)
    code, words = second.end()
    assert code == 1
    assert words.startswith(f"Another Falconet holds {tmp_path / 'data'} and does not answer: ")
    assert words.count("\n") == 1


def test_a_killed_program_is_no_obstacle_to_the_next(programs: list[Program], tmp_path: Path) -> None:
    killed = Program("--data", str(tmp_path / "data"))
    programs.append(killed)
    killed.wait_until_painted()
    killed.process.kill()
    killed.process.wait(patience.SECONDS)
    after = Program("--data", str(tmp_path / "data"))
    programs.append(after)
    after.wait_until_painted()
    after.process.terminate()
    assert after.end()[0] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be without a screen")
def test_without_a_screen_one_sentence_says_so(programs: list[Program], tmp_path: Path) -> None:
    program = Program("--data", str(tmp_path), QT_QPA_PLATFORM="", DISPLAY="", WAYLAND_DISPLAY="")
    programs.append(program)
    code, words = program.end()
    assert code == 1
    assert words == "There is no screen to open a window on: start Falconet in a desktop session.\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(programs: list[Program], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    program = Program("--data", str(tmp_path / "file" / "data"))
    programs.append(program)
    code, words = program.end()
    assert code == 1
    assert words.startswith(f"Falconet cannot write to {tmp_path / 'file' / 'data'}")
    assert words.count("\n") == 1


BLOCKED = """
import sys
sys.modules[{package!r}] = None
from desktop.__main__ import main
sys.exit(main([]))
"""
OLD = """
import sys
sys.version_info = (3, 10, 4)
from desktop.__main__ import main
sys.exit(main([]))
"""
UNLOADABLE = """
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import spec_from_file_location

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "PySide6.QtGui":
            return spec_from_file_location(name, {file!r}, loader=ExtensionFileLoader(name, {file!r}))

sys.meta_path.insert(0, Finder())
from desktop.__main__ import main
sys.exit(main([]))
"""


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=False,
    )


@pytest.mark.parametrize("package", ["PySide6", "markdown_it"])
def test_without_a_package_one_sentence_says_what_to_install(package: str) -> None:
    done = run_script(BLOCKED.format(package=package))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{package} is not installed in {sys.prefix}: ")
    assert done.stderr.endswith(f"`{install_command('desktop')}`.\n")
    assert done.stderr.count("\n") == 1


def test_a_python_that_is_too_old_is_named_before_its_packages() -> None:
    done = run_script(OLD)
    assert (done.returncode, done.stderr) == (
        1,
        f"Falconet needs Python 3.11 or newer, and this is 3.10.4 ({sys.executable}).\n",
    )


def test_a_library_of_qt_s_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    library = tmp_path / "QtGui.abi3.so"
    library.touch()  # the system's loader refuses an empty file, as it does one whose own libraries are not there
    done = run_script(UNLOADABLE.format(file=str(library)))
    assert done.returncode == 1
    assert done.stderr.startswith("Qt cannot be loaded: ")
    assert str(library) in done.stderr
    assert done.stderr.endswith(" and start Falconet again.\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["--version"], 0, "Falconet 0."), (["--help"], 0, "--data FOLDER"), (["--no"], 1, "")],
)
def test_version_and_help_are_printed_and_wrong_usage_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    from desktop.__main__ import main

    try:
        ended = main(arguments)
    except SystemExit as exit_:
        ended = exit_.code if isinstance(exit_.code, int) else 0
    printed = capsys.readouterr()
    assert ended == code
    assert words in printed.out
    assert printed.err.count("\n") == code


def test_a_check_says_that_the_window_was_painted_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "desktop", "--check", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience.SECONDS, check=False)
    words = ["The window was painted.", "A formula was drawn.", "Code was coloured."]
    assert (done.returncode, done.stdout.splitlines()) == (0, words)


def test_the_program_runs_a_module_for_its_child_processes() -> None:
    command = [sys.executable, "-m", "desktop", "--run-module", "runtime", "devices", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience.SECONDS, check=False)
    assert done.returncode == 0
    assert "devices" in done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be without a screen")
@pytest.mark.parametrize("display", [":987", "unix:987.0", "nonsense"])
def test_a_display_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(DesktopError, match=f"at DISPLAY={display}"):
        check_screen()


def test_signals_are_given_back_at_the_end(qapp: QApplication, qtbot: QtBot) -> None:
    before = signal.getsignal(signal.SIGTERM)
    asked: list[str] = []
    interrupts = Interrupts(lambda: asked.append("to end"), qapp)
    os.kill(os.getpid(), signal.SIGTERM)
    wait(qtbot, lambda: len(asked) == 1)
    interrupts.end()
    assert signal.getsignal(signal.SIGTERM) == before


def test_settings_hold_at_once_and_after_a_new_start(application: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    shell = Shell(application, tmp_path)
    qtbot.addWidget(shell.window)
    shell.window.action("larger").trigger()
    dialog = shell.settings_dialog()
    qtbot.addWidget(dialog)
    assert dialog.text_size.slider.value() == 11
    dialog.send_box.setCurrentIndex(1)
    assert shell.window.composer.edit.send_with == "ctrl_enter"
    again = Shell(application, tmp_path)
    qtbot.addWidget(again.window)
    assert again.settings == Settings(text_size=110, send_with="ctrl_enter")
    assert again.window.composer.edit.send_with == "ctrl_enter"


def test_text_sizes_end_at_80_and_200_percent(application: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    shell = Shell(application, tmp_path)
    qtbot.addWidget(shell.window)
    for command, size, sizes in (("larger", 190, [200, 200]), ("smaller", 90, [80, 80])):
        shell.change(Settings(text_size=size))
        seen = []
        for _ in sizes:
            shell.window.action(command).trigger()
            seen.append(shell.settings.text_size)
        assert seen == sizes
    shell.window.action("actual-size").trigger()
    assert shell.settings.text_size == 100


def test_a_disk_that_refuses_the_settings_is_told_in_the_banner(
    application: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    shell = Shell(application, tmp_path / "file")
    qtbot.addWidget(shell.window)
    shell.window.action("larger").trigger()
    assert shell.settings.text_size == 110
    assert str(tmp_path / "file") in shell.window.banner.sentence


def test_the_panel_of_the_chat_is_made_when_it_is_first_asked_for(
    application: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    shell = Shell(application, tmp_path)
    qtbot.addWidget(shell.window)
    shell.window.show()
    made: list[object] = []
    shell.panelMade.connect(made.append)
    shell.window.header.settings_button.click()
    panel = shell.chat_settings()
    assert made == [panel]
    assert panel.isVisible()
    assert shell.window.header.settings_button.isChecked()
    panel.close_button.click()
    assert not panel.isVisible()
    assert not shell.window.header.settings_button.isChecked()


def test_after_the_welcome_the_chat_is_shown_and_the_welcome_not_again(
    application: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    from desktop.views.welcome import Welcome, WelcomeChoice

    shell = Shell(application, tmp_path)
    qtbot.addWidget(shell.window)
    shell.window.show()
    shell.show_welcome([WelcomeChoice(key="tiny", name="tiny", note="10 MB")])
    page = shell.window.findChild(Welcome)
    assert isinstance(page, Welcome)
    with qtbot.waitSignal(shell.welcomed) as welcomed:
        page.start_button.click()
    assert welcomed.args == ["tiny"]
    assert shell.window.composer.isVisible()
    assert shell.settings.welcomed


REFUSED = """
import os, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMessageBox
shown = QMessageBox.exec
def exec(box):
    QTimer.singleShot(0, box.close)
    print(box.informativeText())
    return shown(box)
QMessageBox.exec = exec
from desktop.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def refused(folder: Path, *more: str, platform: str = "minimal", terminal: bool = False) -> tuple[str, str]:
    """What a program that cannot write to `folder` said in a box and on stderr, which is a terminal or a pipe."""
    (folder / "file").write_text("no folder", encoding="utf-8")
    reader, writer = os.openpty() if terminal else os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, "--data", str(folder / "file" / "data"), *more],
        # The platform "minimal" names no style, and a Mac's own needs its windows.
        env=os.environ | {"QT_QPA_PLATFORM": platform, "QT_STYLE_OVERRIDE": "Fusion"},
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
        timeout=patience.SECONDS,
        check=False,
    )
    assert select.select([reader], [], [], patience.SECONDS)[0]  # each of them says something
    said = os.read(reader, 65_536).decode()
    os.close(writer)  # not before: on a Mac that waits until what a terminal was told has been read
    os.close(reader)
    assert done.returncode == 1
    return done.stdout.strip(), said


def test_a_program_that_no_terminal_started_says_in_a_box_why_there_is_no_window(tmp_path: Path) -> None:
    box, said = refused(tmp_path)
    assert box.startswith(f"Falconet cannot write to {tmp_path / 'file' / 'data'}")
    assert box in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_there_is_no_box_in_a_terminal(tmp_path: Path) -> None:
    assert refused(tmp_path, terminal=True)[0] == ""


def test_there_is_no_box_where_nobody_could_close_it(tmp_path: Path) -> None:
    assert refused(tmp_path, "--check")[0] == ""
    assert refused(tmp_path, platform="offscreen")[0] == ""
