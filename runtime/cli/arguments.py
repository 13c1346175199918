"""Arguments of `python -m runtime`, parsed into one frozen object a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.sampling import SamplingConfig

BACKENDS = ("coreml", "torch", "reference")
DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for; `bundle` None is the embedded model."""

    command: str
    bundle: Path | None
    prompt: str | None
    system: str | None
    template: str | None
    max_tokens: int
    sampling: SamplingConfig
    backend: str | None
    json: bool


def parse(arguments: Sequence[str]) -> Options:
    """Parse; exits with 2 for wrong usage. Raises OptionError for a sampling value outside its range."""
    parser = argparse.ArgumentParser(
        prog="python -m runtime", description="Run Falcon bundles on this machine.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chat = commands.add_parser("chat", help="talk with a model, from the terminal or from a pipe, one turn a line")
    complete = commands.add_parser("complete", help="continue a text")
    complete.add_argument("--prompt", required=True, metavar="TEXT", help="the text; - reads it from the input")
    chat.add_argument("--system", metavar="TEXT", help="a system message (default: none)")
    chat.add_argument("--template", metavar="NAME", help="chat format (default: the bundle's own)")
    for command, default in ((chat, 0.7), (complete, 0.7)):
        _add_common(command, default)
    chosen = parser.parse_args(arguments)
    return Options(
        command=chosen.command,
        bundle=chosen.bundle,
        prompt=getattr(chosen, "prompt", None),
        system=getattr(chosen, "system", None),
        template=getattr(chosen, "template", None),
        max_tokens=chosen.max_tokens,
        sampling=SamplingConfig(
            temperature=chosen.temperature,
            top_k=chosen.top_k,
            top_p=chosen.top_p,
            min_p=chosen.min_p,
            repetition_penalty=chosen.repetition_penalty,
            seed=chosen.seed,
        ),
        backend=chosen.backend,
        json=chosen.json,
    )


def _add_common(parser: argparse.ArgumentParser, temperature: float) -> None:
    parser.add_argument(
        "bundle", nargs="?", type=Path, metavar="BUNDLE", help="folder of a bundle (default: the embedded model)"
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_MAX_TOKENS,
        metavar="N",
        help="tokens an answer (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature", type=float, default=temperature, metavar="T", help="0 is greedy (default: %(default)s)"
    )
    parser.add_argument(
        "--top-k", type=int, default=0, metavar="K", help="likeliest tokens kept; 0 is all (default: 0)"
    )
    parser.add_argument(
        "--top-p", type=float, default=0.95, metavar="P", help="share of the mass kept, up to 1 (default: %(default)s)"
    )
    parser.add_argument(
        "--min-p",
        type=float,
        default=0.0,
        metavar="P",
        help="drop tokens below this share of the likeliest (default: 0)",
    )
    parser.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="X", help="above 1 repeats less (default: 1, off)"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="for the same answer again (default: a new one each time)"
    )
    parser.add_argument("--backend", choices=BACKENDS, help="default: the best that this machine has")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: each event of each answer")
