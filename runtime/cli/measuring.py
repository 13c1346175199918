"""The commands that measure: `bench`, `perplexity`, `compare`, `devices`. Their options, and which function runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

from runtime.cli.place import Place, add_place, chosen_place
from runtime.cli.serving import MOST_PARALLEL
from runtime.errors import OptionError
from runtime.measure.bench import BenchConfig
from runtime.measure.windows import DEFAULT_CONTEXT

_BENCH = """\
Measure how fast a bundle reads a prompt and writes an answer on this machine. A table for people, then one line of
JSON; what each figure means is in docs/measuring.md."""
_PERPLEXITY = "Measure how well a model predicts a text: perplexity with its standard error, and bits per byte."
_COMPARE = """\
Measure how far a bundle is from another, or from the checkpoint that it was made of, on a text: KL divergence, the
likeliest token, perplexity, as llama.cpp's tool reports them. Both run side by side; Ctrl-C shows the figures so
far."""
_FITS = ", less where the model's context is short"
_DEVICES = "Show what this machine has, which backends can run on it, and whether a bundle fits in its memory."


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """`bundle` None is the embedded model. `free` are the counts of `config` that nobody chose."""

    bundle: Path | None
    config: BenchConfig
    free: frozenset[str] = frozenset()
    place: Place = field(default_factory=Place)
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """The text to score on and its windows. `text` is a file, - the input, None the embedded model's own text."""

    text: str | None
    context: int | None
    stride: int | None


@dataclass(frozen=True, kw_only=True)
class PerplexityOptions:
    """`model` is a bundle or a checkpoint, None the embedded model."""

    model: Path | None
    text: TextOptions
    place: Place = field(default_factory=Place)
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """`model` is judged against `reference`; each is a bundle or a checkpoint."""

    model: Path
    reference: Path
    text: TextOptions
    place: Place = field(default_factory=Place)
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class DevicesOptions:
    """`bundle` is what may fit or not; None leaves the question out."""

    bundle: Path | None
    json: bool = False


MeasuringOptions = BenchOptions | PerplexityOptions | CompareOptions | DevicesOptions


def run_measuring(options: MeasuringOptions, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Run one of the four commands; returns the exit code. Raises UserFacingError."""
    match options:
        case BenchOptions():
            from runtime.cli.bench import run_bench_command

            return run_bench_command(options, stdin, out, err)
        case PerplexityOptions():
            from runtime.cli.perplexity import run_perplexity

            return run_perplexity(options, stdin, out, err)
        case CompareOptions():
            from runtime.cli.compare import run_compare

            return run_compare(options, stdin, out, err)
        case DevicesOptions():
            from runtime.cli.devices import run_devices

            return run_devices(options, out, err)


def add_measuring(commands: Any) -> None:
    """Add the four commands to argparse's `commands`; each sets `measuring`, which makes its options."""
    _add_bench(_add(commands, "bench", "measure speed and memory", _BENCH, _bench_options))
    perplexity = _add(commands, "perplexity", "measure how well a text is predicted", _PERPLEXITY, _perplexity_options)
    perplexity.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help="folder of a bundle, or of a checkpoint (default: the embedded model)",
    )
    compare = _add(commands, "compare", "measure how far two models are apart", _COMPARE, _compare_options)
    compare.add_argument("model", type=Path, metavar="BUNDLE", help="folder of the bundle that is judged")
    compare.add_argument(
        "reference", type=Path, metavar="REFERENCE", help="folder of the bundle or checkpoint that counts as right"
    )
    for parser in (perplexity, compare):
        _add_text(parser)
        add_place(parser)
    devices = _add(commands, "devices", "show what this machine has", _DEVICES, _devices_options)
    devices.add_argument(
        "bundle", nargs="?", type=Path, metavar="BUNDLE", help="say whether this one fits (default: none)"
    )


def _add(
    commands: Any, name: str, summary: str, description: str, options: Callable[[argparse.Namespace], MeasuringOptions]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=description)
    parser.set_defaults(measuring=options)
    parser.add_argument("--json", action="store_true", help="one line of JSON and nothing else")
    return parser


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", nargs="?", type=Path, metavar="BUNDLE", help="folder of a bundle (default: the embedded model)"
    )
    add_place(parser)
    for name, text, less in (
        ("prompt-tokens", "length of the prompt, in tokens", _FITS),
        ("new-tokens", "length of the answer, in tokens", _FITS),
        ("repeats", "runs that count", ""),
        ("warm-up", "runs before, which do not count", ""),
        ("seed", "which random tokens", ""),
        ("at-once", "answers that are then written together, as a server does", "; 32 on a card, fewer on a small one"),
    ):
        default = getattr(BenchConfig, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{text} (default: {default}{less})")


def _add_text(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text", metavar="FILE", help="UTF-8 text to score on; - reads the input (default: the embedded model's own)"
    )
    parser.add_argument(
        "--context",
        type=int,
        metavar="N",
        help=f"tokens of a window (default: {DEFAULT_CONTEXT}, or the model's context where that is less)",
    )
    parser.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help="let windows begin N tokens apart and score every token once (default: windows side by side, the second "
        "half of each scored)",
    )


def _bench_options(chosen: argparse.Namespace) -> MeasuringOptions:
    names = [field.name for field in fields(BenchConfig)]
    given = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    if given.get("at_once", 1) > MOST_PARALLEL:
        sentence = f"--at-once must be at most {MOST_PARALLEL}, as many as a server writes, not {chosen.at_once}."
        raise OptionError(sentence)
    return BenchOptions(
        bundle=chosen.bundle,
        config=BenchConfig(**given),
        free=frozenset({"prompt_tokens", "new_tokens", "at_once"} - set(given)),
        place=chosen_place(chosen),
        json=chosen.json,
    )


def _perplexity_options(chosen: argparse.Namespace) -> MeasuringOptions:
    return PerplexityOptions(model=chosen.model, text=_text(chosen), place=chosen_place(chosen), json=chosen.json)


def _compare_options(chosen: argparse.Namespace) -> MeasuringOptions:
    return CompareOptions(
        model=chosen.model, reference=chosen.reference, text=_text(chosen), place=chosen_place(chosen), json=chosen.json
    )


def _devices_options(chosen: argparse.Namespace) -> MeasuringOptions:
    return DevicesOptions(bundle=chosen.bundle, json=chosen.json)


def _text(chosen: argparse.Namespace) -> TextOptions:
    return TextOptions(text=chosen.text, context=chosen.context, stride=chosen.stride)
