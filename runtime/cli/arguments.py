"""Arguments of `python -m runtime`, parsed into one frozen object a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.backends.choice import NAMES
from runtime.backends.coreml import COMPUTE_UNITS, DEFAULT_UNITS
from runtime.cli.folders import EMBEDDED
from runtime.cli.measuring import MeasuringOptions, add_measuring
from runtime.cli.parser import Parser
from runtime.cli.serving import ServeOptions, add_serving
from runtime.cli.settings import add_settings, chosen_settings
from runtime.cli.text import argument_text
from runtime.errors import OptionError
from runtime.options import MOST_LOGPROBS, GenerationOptions
from runtime.version import program_version

KEY_NAMES = ("FALCONET_API_KEY", "OPENAI_API_KEY")
"""Where a service's key is looked for: never on the command line, which other users of a machine can read."""

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
  python -m runtime serve --port 8080                      programs ask it as they ask OpenAI's API
  python -m runtime complete --prompt "A cat:" --json-schema '{"type": "object"}' --json
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
    process: bool  # the model in a process of its own
    remote: str | None  # address of a service, in place of a bundle
    model: str | None  # of the service's; None is its first
    input: str | None  # file with one turn a line; - is the input, None what fits: keys or the input
    load: Path | None  # conversation to go on with
    history: bool  # keep what is typed for the next run


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """The bundle to check, and the file for the report."""

    bundle: Path
    report: Path | None


def parse(arguments: Sequence[str]) -> Options | DoctorOptions | MeasuringOptions | ServeOptions:
    """Parse. Raises OptionError for wrong usage, a value outside its range, or text that is none."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "doctor":
        return DoctorOptions(bundle=chosen.bundle, report=chosen.json)
    if (measuring := getattr(chosen, "measuring", None)) is not None:
        options: MeasuringOptions = measuring(chosen)
        return options
    if chosen.command == "serve":
        served: ServeOptions = chosen.serving(chosen)
        return served
    _check_place(chosen)
    return Options(
        command=chosen.command,
        bundle=chosen.bundle,
        prompt=_text(chosen, "prompt"),
        system=_text(chosen, "system"),
        template=_text(chosen, "template"),
        generation=_generation(chosen),
        backend=chosen.backend,
        compute_units=chosen.compute_units,
        json=chosen.json,
        process=chosen.process,
        remote=_text(chosen, "remote"),
        model=_text(chosen, "model"),
        input=getattr(chosen, "input", None),
        load=getattr(chosen, "load", None),
        history=not getattr(chosen, "no_history", False),
    )


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runtime",
        description="Run Falcon bundles on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the program's version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chat = commands.add_parser("chat", help="talk with a model", description=_CHAT)
    complete = commands.add_parser("complete", help="continue a text", description=_COMPLETE)
    doctor = commands.add_parser("doctor", help="check a bundle on every device", description=_DOCTOR)
    complete.add_argument("--prompt", required=True, metavar="TEXT", help="the text; - reads it from the input")
    chat.add_argument("--system", metavar="TEXT", help="what the model is told first (default: nothing)")
    chat.add_argument("--template", metavar="NAME", help="chat format (default: the bundle's own)")
    chat.add_argument("--input", metavar="FILE", help="one turn a line, as from a pipe; - is the input (default: keys)")
    chat.add_argument("--load", type=Path, metavar="FILE", help="go on with what /save wrote (default: begin anew)")
    chat.add_argument("--no-history", action="store_true", help="do not keep what is typed for the next run")
    for command in (chat, complete):
        _add_common(command)
    doctor.add_argument("bundle", type=Path, metavar="BUNDLE", help=f"folder of a bundle, or {EMBEDDED}")
    doctor.add_argument("--json", type=Path, metavar="FILE", help="write a report to send with a bug")
    add_serving(commands)
    add_measuring(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version, which takes time to find out, only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"Falconet {program_version()}\n")
        sys.stdout.flush()  # here a full disk is an error, at exit a complaint of Python's
        parser.exit()


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help="folder made by `python -m export` (default: the embedded model, exported once)",
    )
    parser.add_argument(
        "--backend", "--device", choices=NAMES, help="what computes (default: the first that this machine has)"
    )
    parser.add_argument(
        "--compute-units",
        choices=COMPUTE_UNITS,
        help=f"of Core ML; the doctor says which is best here {DEFAULT_UNITS}",
    )
    parser.add_argument(
        "--process", action="store_true", help="the model in a process of its own, whose end does not end the chat"
    )
    parser.add_argument(
        "--remote",
        metavar="URL",
        help="an OpenAI-compatible service, such as http://127.0.0.1:8000/v1, in place of a bundle; its key is taken "
        f"from {' or '.join(KEY_NAMES)} in the environment (default: none)",
    )
    parser.add_argument("--model", metavar="NAME", help="with --remote: which of its models (default: its first)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: each event of each answer")
    parser.add_argument(
        "--logprobs",
        type=int,
        metavar="N",
        help=f"with --json: log-probabilities of each token and the N likeliest, 0 to {MOST_LOGPROBS} (default: none)",
    )
    add_settings(parser)


def _check_place(chosen: argparse.Namespace) -> None:
    """OptionError for options of a bundle beside a service, and the other way round."""
    if chosen.remote is None:
        if chosen.model is not None:
            raise OptionError(
                "--model is one of a service's; name the service with --remote, or a bundle by its folder."
            )
        return
    for name in ("bundle", "backend", "compute_units", "template", "process"):
        if getattr(chosen, name, None):
            option = "BUNDLE" if name == "bundle" else f"--{name.replace('_', '-')}"
            raise OptionError(f"{option} is for models on this machine; leave it out, or leave out --remote.")


def _generation(chosen: argparse.Namespace) -> GenerationOptions:
    options = chosen_settings(chosen)
    if chosen.logprobs is None:
        return options
    if not chosen.json:
        raise OptionError("--logprobs are part of the events that --json prints; add --json.")
    try:
        return replace(options, logprobs=chosen.logprobs)
    except OptionError as error:
        raise OptionError(f"--{error}") from None


def _text(chosen: argparse.Namespace, name: str) -> str | None:
    value: str | None = getattr(chosen, name, None)  # not every command has every option
    return None if value is None else argument_text(f"--{name}", value)
