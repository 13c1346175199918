"""The exporter's command line in this process: what it said, in which stages, and how it refused."""

from __future__ import annotations

import pytest

from export.__main__ import main

STAGES = ("hash", "palettize", "convert", "save", "locate", "verify", "seal")


def said_by_stages(lines: list[str]) -> list[str]:
    """Without the line that tells what disk and memory the export takes."""
    return [line for line in lines if " of memory needed; " not in line]


class Run:
    """Runs the command line in an empty folder and hands out what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.stages: list[str] = []  # finished before the last refusal

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main([str(a) for a in arguments])
        out, err = self._capsys.readouterr()
        return code, out, err

    def refused(self, *arguments: object) -> str:
        """The sentence; before it stand at most the stages that were finished and the needs that were told."""
        code, out, err = self(*arguments)
        *stages, last = err.splitlines()
        self.stages = said_by_stages(stages)
        assert (code, out) == (1, "")
        assert all(line.startswith(STAGES) for line in self.stages)
        assert last.startswith("error: ")
        assert last.endswith((".", "?"))
        assert "Traceback" not in err
        return last
