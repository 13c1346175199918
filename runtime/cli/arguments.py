"""Arguments of `python -m runtime`, parsed into one frozen object a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.backends.choice import NAMES
from runtime.backends.coreml import COMPUTE_UNITS
from runtime.cli.measuring import MeasuringOptions, add_measuring
from runtime.cli.parser import Parser
from runtime.cli.text import argument_text
from runtime.errors import OptionError
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig

DEFAULTS = SamplingConfig()
DEFAULT_MAX_TOKENS = 512
_CHAT = """\
Talk with a model. On a terminal: type a message, /help lists what else can be typed, Ctrl-C stops an answer. From a
pipe: one turn a line, all of one conversation."""
_DOCTOR = "Check a bundle on this machine: every device in a process of its own, against the interpreter."
_COMPLETE = "Continue a text. The continuation goes to the output, the figures beside it to the error output."
_EXAMPLES = """\
examples:
  python -m runtime chat                                   the embedded model
  python -m runtime chat bundles/falcon-7b-instruct-lut4 --system "Be brief."
  python -m runtime complete --prompt - --temperature 0 < draft.txt
  printf 'My name is Mia.\\nWhat is my name?\\n' | python -m runtime chat --json

exit codes: 0 done, 1 error (one line says why), 130 stopped by Ctrl-C"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for; `bundle` None is the embedded model."""

    command: str
    bundle: Path | None
    prompt: str | None
    system: str | None
    template: str | None
    generation: GenerationOptions
    backend: str | None
    compute_units: str | None
    json: bool


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """The bundle to check, and the file for the report."""

    bundle: Path
    report: Path | None


def parse(arguments: Sequence[str]) -> Options | DoctorOptions | MeasuringOptions:
    """Parse. Raises OptionError for wrong usage, a value outside its range, or text that is none."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "doctor":
        return DoctorOptions(bundle=chosen.bundle, report=chosen.json)
    if (measuring := getattr(chosen, "measuring", None)) is not None:
        options: MeasuringOptions = measuring(chosen)
        return options
    if chosen.max_tokens < 1:
        raise OptionError(f"--max-tokens must be at least 1, not {chosen.max_tokens}.")
    return Options(
        command=chosen.command,
        bundle=chosen.bundle,
        prompt=_text(chosen, "prompt"),
        system=_text(chosen, "system"),
        template=_text(chosen, "template"),
        generation=GenerationOptions(sampling=_sampling(chosen), max_new_tokens=chosen.max_tokens),
        backend=chosen.backend,
        compute_units=chosen.compute_units,
        json=chosen.json,
    )


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runtime",
        description="Run Falcon bundles on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chat = commands.add_parser("chat", help="talk with a model", description=_CHAT)
    complete = commands.add_parser("complete", help="continue a text", description=_COMPLETE)
    doctor = commands.add_parser("doctor", help="check a bundle on every device", description=_DOCTOR)
    complete.add_argument("--prompt", required=True, metavar="TEXT", help="the text; - reads it from the input")
    chat.add_argument("--system", metavar="TEXT", help="what the model is told first (default: nothing)")
    chat.add_argument("--template", metavar="NAME", help="chat format (default: the bundle's own)")
    for command in (chat, complete):
        _add_common(command)
    doctor.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a bundle")
    doctor.add_argument("--json", type=Path, metavar="FILE", help="write a report to send with a bug")
    add_measuring(commands)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help="folder made by `python -m export` (default: the embedded model, exported once)",
    )
    parser.add_argument("--backend", choices=NAMES, help="what computes (default: the first that this machine has)")
    parser.add_argument(
        "--compute-units",
        choices=COMPUTE_UNITS,
        help=f"of Core ML; the doctor says which is best here (default: {COMPUTE_UNITS[0]})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line: each event of each answer")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_MAX_TOKENS,
        metavar="N",
        help="length of an answer, in tokens, at most (default: %(default)s)",
    )
    group = parser.add_argument_group("choice of each token, in this order")
    _add_number(group, "repetition-penalty", "X", "0.1 to 10; above 1 the last 64 tokens become less likely; 1 is off")
    _add_number(group, "temperature", "T", "0 to 100; 0 takes the likeliest")
    _add_number(group, "top-k", "K", "keep the K likeliest tokens; 0 keeps all", kind=int)
    _add_number(group, "top-p", "P", "above 0 to 1; keep the likeliest tokens that hold this share; 1 keeps all")
    _add_number(group, "min-p", "P", "0 to 1; drop tokens below this share of the likeliest; 0 keeps all")
    group.add_argument(
        "--seed", type=int, metavar="N", help="whole number; the same gives the same answer (default: a new one)"
    )


def _add_number(
    group: argparse._ArgumentGroup, name: str, metavar: str, text: str, *, kind: type[float] | type[int] = float
) -> None:
    default = kind(getattr(DEFAULTS, name.replace("-", "_")))
    group.add_argument(f"--{name}", type=kind, default=default, metavar=metavar, help=f"{text} (default: {default:g})")


def _sampling(chosen: argparse.Namespace) -> SamplingConfig:
    try:
        return SamplingConfig(
            temperature=chosen.temperature,
            top_k=chosen.top_k,
            top_p=chosen.top_p,
            min_p=chosen.min_p,
            repetition_penalty=chosen.repetition_penalty,
            seed=chosen.seed,
        )
    except OptionError as error:  # its sentence begins with the field's name; users know the option's
        field, rest = str(error).split(" ", 1)
        raise OptionError(f"--{field.replace('_', '-')} {rest}") from None


def _text(chosen: argparse.Namespace, name: str) -> str | None:
    value: str | None = getattr(chosen, name, None)  # not every command has every option
    return None if value is None else argument_text(f"--{name}", value)
