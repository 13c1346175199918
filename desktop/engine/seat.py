"""Seat: the place of one model: how it is, and what runs it. Services have one each, a computer's models share one."""

from __future__ import annotations

from dataclasses import dataclass, field

from desktop.engine.events import EngineStatus
from desktop.engine.runner import Runner


@dataclass(eq=False)
class Seat:
    """`left` is the runner before, which may still be closing its engine; `load_begun` is of time.monotonic. `locked`:
    the service's key is being asked for, and what is asked of the service waits for it."""

    status: EngineStatus = field(default_factory=lambda: EngineStatus(kind="none"))
    runner: Runner | None = None
    left: Runner | None = None
    load_begun: float = 0.0
    locked: bool = False

    def leave(self) -> None:
        """Let go of what runs. Waits for nothing."""
        if self.runner is not None:
            self.runner.leave()
            self.left, self.runner = self.runner, None
