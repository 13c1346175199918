"""Options of the command `serve`."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from runtime.cli.place import Place, add_place, chosen_place
from runtime.cli.text import argument_text
from runtime.errors import OptionError
from runtime.packages import install_command

SERVER_KEY = "FALCONET_API_KEY"
"""Where the key is looked for that clients have to send: other users of a machine can read a command line."""
MOST_PARALLEL = 256
"""Answers that a server may be told to write at once."""

_SERVE = """\
Serve a model over HTTP, as OpenAI's API has it: /v1/chat/completions, /v1/completions, /v1/models. Several
conversations are answered at once. Ctrl-C ends it."""
_MOST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What is served, and to whom; `bundle` None is the embedded model, `name` None the bundle's own."""

    bundle: Path | None
    place: Place = field(default_factory=Place)
    template: str | None = None
    name: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000  # 0 is any that is free
    key: str | None = field(default=None, repr=False)
    parallel: int = 8  # answers that are written at once
    origins: tuple[str, ...] = ()  # of pages that may ask from a browser
    json: bool = False


def run_serving(options: ServeOptions, out: TextIO, err: TextIO) -> int:
    """Serve until told to end; returns the exit code. Raises UserFacingError."""
    try:
        from runtime.cli.serve import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn", "h11", "anyio"):
            raise
        raise OptionError(f"serve needs {error.name}: `{install_command('serve')}`.") from None
    return serve(options, out, err)


def add_serving(commands: Any) -> None:
    """Add `serve` to argparse's `commands`; it sets `serving`, which makes its options."""
    default = ServeOptions(bundle=None)
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve", help="answer programs over HTTP, as OpenAI's API", description=_SERVE
    )
    parser.set_defaults(serving=_options)
    parser.add_argument(
        "bundle", nargs="?", type=Path, metavar="BUNDLE", help="folder of a bundle (default: the embedded model)"
    )
    add_place(parser)
    parser.add_argument("--template", "--chat-template", metavar="NAME", help="chat format (default: the bundle's own)")
    parser.add_argument("--name", metavar="NAME", help="what clients call the model (default: the bundle's name)")
    parser.add_argument(
        "--host",
        default=default.host,
        metavar="HOST",
        help=f"address to listen at (default: {default.host}, this machine alone; 0.0.0.0 is all networks)",
    )
    parser.add_argument(
        "--port", type=int, default=default.port, metavar="N", help=f"0 is any that is free (default: {default.port})"
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"what clients must send; better put into {SERVER_KEY}, as others can read a command line (default: none)",
    )
    parser.add_argument(
        "--parallel",
        type=int,
        default=default.parallel,
        metavar="N",
        help=f"answers that are written at once; more wait for their turn (default: {default.parallel})",
    )
    parser.add_argument(
        "--cors-origin",
        action="append",
        metavar="ORIGIN",
        help="let pages from there ask, such as https://example.org, or * for any; may be repeated (default: none)",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line: when it is ready, and each request"
    )


def _options(chosen: argparse.Namespace) -> ServeOptions:
    if not 0 <= chosen.port <= _MOST_PORT:
        raise OptionError(f"--port must be 0 to {_MOST_PORT}, not {chosen.port}.")
    if not 1 <= chosen.parallel <= MOST_PARALLEL:
        raise OptionError(f"--parallel must be 1 to {MOST_PARALLEL}, not {chosen.parallel}.")
    return ServeOptions(
        bundle=chosen.bundle,
        place=chosen_place(chosen),
        template=_text("--template", chosen.template),
        name=_name(_text("--name", chosen.name)),
        host=argument_text("--host", chosen.host),
        port=chosen.port,
        key=_key(chosen.api_key),
        parallel=chosen.parallel,
        origins=tuple(_origin(argument_text("--cors-origin", origin)) for origin in chosen.cors_origin or ()),
        json=chosen.json,
    )


def _text(option: str, value: str | None) -> str | None:
    return None if value is None else argument_text(option, value)


def _name(name: str | None) -> str | None:
    if name is not None and (not name.strip() or not name.isprintable()):
        raise OptionError("--name must be a name that can be read and typed.")
    return name


def _key(given: str | None) -> str | None:
    name = "--api-key" if given is not None else SERVER_KEY
    key = given if given is not None else os.environ.get(SERVER_KEY) or None
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key != ""):
        raise OptionError(f"{name} must be ASCII text without spaces around it, as HTTP sends it; choose another.")
    return key


def _origin(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    if origin != "*" and (scheme not in ("http", "https") or not rest or "/" in rest):
        raise OptionError(f"--cors-origin must be such as https://example.org, or *, not {origin[:80]!r}.")
    return origin
