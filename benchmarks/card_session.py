"""All that a card is to be asked first, in one run that may end at any moment: what should be known soonest is first.

    python -m benchmarks.card_session [FOLDER] [--minutes 12] [--steps NAME ...] [--list]

Each step is a process of its own with a time limit of its own, so that a kernel that faults or hangs costs that step
only. What a step says is in FOLDER/NAME.txt from its first line on, the table so far in FOLDER/table.txt after each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.card import told_of
from runtime.backends.cards import card_in_use

_LEAST_SECONDS = 15  # no step is begun with less


@dataclass(frozen=True)
class Step:
    """A module to run with its arguments, and the most seconds that it may take."""

    name: str
    seconds: int
    command: tuple[str, ...]


def _figures(*sections: str, seconds: int = 75) -> list[Step]:
    return [Step(section, seconds, ("benchmarks.cuda", "--only", section)) for section in sections]


def _tests(name: str, asked: str) -> Step:
    """Without this project's configuration, which names plugins that a machine with a card may lack: the window's."""
    settings = ("-c", os.devnull, "--rootdir", ".")
    return Step(name, 150, ("pytest", *settings, "-q", "-x", "tests/models/cuda/test_card.py", "-k", asked))


STEPS = (
    _tests("whole steps are right", "steps"),
    *_figures("7b lut4", "7b lut4, tables", "7b lut4, tables, early", "7b lut4, tables, normed, combined, early"),
    Step("products", 90, ("benchmarks.cuda_products", "--rows", "1", "32")),
    *_figures("compiled bf16", seconds=150),
    *_figures("7b lut4, tables, normed", "7b lut4, tables, normed, combined", "7b lut4, combined"),
    *_figures("40b lut4, tables, normed, combined, early", "40b lut4", "40b lut4, tables, early", "40b lut4, tables"),
    _tests("products are right", "product"),
    Step("products of few rows", 90, ("benchmarks.cuda_products", "--rows", "4", "8", "16")),
    *_figures("transformers bf16", "7b bf16"),
)
"""In their order: most worth knowing first."""


def run(step: Step, folder: Path, seconds: float) -> str:
    """How it ended, in a word or two; what it says goes to the folder as it comes."""
    begun = time.monotonic()
    with (folder / f"{step.name}.txt").open("w") as out:
        try:
            done = subprocess.run(
                [sys.executable, "-u", "-m", *step.command],
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no end after {seconds:.0f} s"
    return f"{'done' if done.returncode == 0 else f'failed ({done.returncode})'}, {time.monotonic() - begun:.0f} s"


def told(text: str) -> list[str]:
    """The lines of a step's output that a table should have: figures of sections and products, and ends of tests."""
    found = []
    for line in text.splitlines():
        name, brace, rest = line.partition(": {")
        if brace and (figures := _read("{" + rest.rpartition(" (")[0])) is not None:
            found += [f"{name}: {figures['failed']}"] if "failed" in figures else _rows(figures)
        elif " rows  " in line or line.startswith("error: ") or " passed" in line or " failed" in line:
            found.append(line.strip())
    return found


def _read(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _rows(figures: dict[str, Any]) -> list[str]:
    return [
        f"{what}: {found['tokens_per_second']:.1f} tokens/s"
        + (f", {found['share_of_floor']:.0%} of the floor" if "share_of_floor" in found else "")
        for what, found in figures.items()
        if "tokens_per_second" in found
    ]


def session(steps: Sequence[Step], folder: Path, seconds: float) -> str:
    """Run `steps` while `seconds` last; the table, which is also in the folder after each of them."""
    end = time.monotonic() + seconds
    lines: list[str] = []
    for step in steps:
        left = end - time.monotonic()
        how = "no time left" if left < _LEAST_SECONDS else run(step, folder, min(step.seconds, left))
        print(f"{step.name}: {how}", flush=True)
        said = folder / f"{step.name}.txt"
        lines.append(f"{step.name:<36}{how}")
        if how != "no time left":
            lines += [f"    {line}" for line in told(said.read_text(errors="replace"))]
        (folder / "table.txt").write_text("\n".join(lines) + "\n")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("card-session"), help="of what is said")
    parser.add_argument("--minutes", type=float, default=12, help="of all steps (12)")
    parser.add_argument("--steps", nargs="+", metavar="NAME", help="these; else all")
    parser.add_argument("--list", action="store_true", help="name the steps and their seconds, run none")
    args = parser.parse_args()
    known = {step.name: step for step in STEPS}
    if args.list:
        print("\n".join(f"{step.name:<36}{step.seconds:>4} s  {' '.join(step.command)}" for step in STEPS))
        return
    for name in args.steps or ():
        if name not in known:
            parser.error(f"no step {name!r}; there are: {'; '.join(known)}")
    card = card_in_use()
    if card is None:
        raise SystemExit("error: no card is usable here; `python -m runtime devices` says why.")
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "card.json").write_text(json.dumps(told_of(card)) + "\n")
    print(session([known[name] for name in args.steps or known], args.folder, 60 * args.minutes))


if __name__ == "__main__":
    main()
