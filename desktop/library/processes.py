"""ModuleProcess: `python -m MODULE ARGUMENTS` beside the window, line by line, and stopped when it is not wanted."""

from __future__ import annotations

import os
import signal
import sys

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from runtime import module_command

_GRACE_MILLISECONDS = 5_000  # from asking it to stop to killing it
CLOSE_MILLISECONDS = 500


class ModuleProcess(QObject):
    """One run of a module. How a Python is started, also in a packaged application, is runtime's `module_command`."""

    said = Signal(str)  # a line on its standard error
    # Exit code, or what ended it: minus the signal, or Windows' number of an exception. And all that it wrote on
    # standard output.
    ended = Signal(int, str)

    def __init__(self, module: str, arguments: list[str], parent: QObject | None = None) -> None:
        """Starts at once; `ended` comes in any case, at the earliest when the caller is back in the event loop."""
        super().__init__(parent)
        program, *rest = module_command(module, *arguments)
        self._over = False
        self._out = bytearray()
        self._err = bytearray()
        self._process = QProcess(self)
        self._process.setProgram(program)
        self._process.setArguments(rest)
        self._process.setProcessEnvironment(_environment())
        self._process.setStandardInputFile(QProcess.nullDevice())
        self._process.readyReadStandardError.connect(self._read_lines)
        self._process.readyReadStandardOutput.connect(self._read_out)
        self._process.started.connect(self._keep_awake)
        self._process.finished.connect(self._finish)
        self._process.errorOccurred.connect(self._fail)
        self._kill = QTimer(self, singleShot=True, interval=_GRACE_MILLISECONDS)
        self._kill.timeout.connect(self._process.kill)
        QTimer.singleShot(0, self, self._start)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._over

    def stop(self) -> None:
        """Ask it to stop, as Ctrl-C does, and kill it after a grace. `ended` comes later."""
        if self.running and not self._kill.isActive():
            self._kill.start()
            self._interrupt()

    def close(self, milliseconds: int = CLOSE_MILLISECONDS) -> None:
        """End it, by force after so long, for a program that leaves. `ended` may come during this call."""
        if not self.running:
            return
        if not self._kill.isActive():  # asked already
            self._interrupt()
        begun = self._process.state() != QProcess.ProcessState.NotRunning
        if begun and not self._process.waitForFinished(milliseconds):
            self._process.kill()
            self._process.waitForFinished(CLOSE_MILLISECONDS)
        self._end(-signal.SIGTERM)

    def _start(self) -> None:
        if self.running:
            self._process.start()

    def _keep_awake(self) -> None:
        """A Mac that nobody touches falls asleep, also with a download under way, unless it is told not to."""
        if sys.platform == "darwin":
            QProcess.startDetached("/usr/bin/caffeinate", ["-i", "-w", str(self._process.processId())])

    def _interrupt(self) -> None:
        pid = self._process.processId()
        if not pid:
            self._end(-signal.SIGTERM)  # it had not begun
        elif sys.platform == "win32":  # which knows no Ctrl-C for one process
            self._process.kill()
        else:
            os.kill(pid, signal.SIGINT)

    def _read_out(self) -> None:
        self._out += self._process.readAllStandardOutput().data()

    def _read_lines(self) -> None:
        self._err += self._process.readAllStandardError().data()
        *lines, rest = self._err.split(b"\n")
        self._err = bytearray(rest)
        for line in lines:
            self.said.emit(line.decode("utf-8", errors="replace"))

    def _finish(self, code: int, status: QProcess.ExitStatus) -> None:
        if sys.platform == "win32":
            code &= 0xFFFF_FFFF  # Qt gives the number of an exception as one below 0
        elif status == QProcess.ExitStatus.CrashExit:
            code = -code
        self._end(code)

    def _fail(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.said.emit(self._process.errorString())
            self._end(127)

    def _end(self, code: int) -> None:
        if self._over:
            return
        self._over = True
        self._kill.stop()
        self._read_out()
        self._read_lines()
        if self._err:
            self.said.emit(self._err.decode("utf-8", errors="replace"))
        self.ended.emit(code, self._out.decode("utf-8", errors="replace"))


def _environment() -> QProcessEnvironment:
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONUTF8", "1")
    return environment
