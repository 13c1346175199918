"""Command line: `python -m export NAME|FOLDER`, `list`, `inspect BUNDLE`. A thin skin over export.pipeline.

Exit codes: 0, 1 for what the user can mend, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.cli.parser import Parser
from runtime.cli.streams import drop, open_closed_streams
from runtime.errors import UserFacingError
from runtime.exhausted import memory_exhausted
from runtime.interrupt import StopOnInterrupt, leave
from runtime.packages import check_exporter, check_python, missing_package


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 for the world's fault (one line on stderr) or 130 for Ctrl-C."""
    open_closed_streams()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        check_python()
        if arguments[:1] == ["list"]:
            code = _list(arguments[1:])
        elif arguments[:1] == ["inspect"]:
            code = _inspect(arguments[1:])
        else:
            code = _export(arguments)
        sys.stdout.flush()  # here a full disk is an error, at exit a complaint of Python's
    except UserFacingError as error:
        # A sentence that libraries had a part in may have several lines.
        message, sentence = (" ".join(text.splitlines()) for text in (str(error), error.sentence))
        more = {"sentence": sentence} if error.option else {}
        _report(arguments, "error: ", message, kind=type(error).__name__, **more)
        return 1
    except ModuleNotFoundError as error:
        _report(arguments, "error: ", str(missing_package(error, "export")))
        return 1
    except BrokenPipeError:  # the reader left, as `| head -1` does: no error to speak of
        drop(sys.stdout)
        return 1
    except OSError as error:
        more = {"kind": "DiskError"} if error.errno == errno.ENOSPC else {}
        _report(arguments, "error: ", _describe(error), **more)
        drop(sys.stdout)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not memory_exhausted(error):
            raise
        _report(arguments, "error: ", "The machine's memory ran out; close other programs and try again to go on.")
        return 1
    except KeyboardInterrupt:
        _report(arguments, "\n", "Stopped; run the same command again to go on from here.")
        return 130
    return code


def _report(arguments: Sequence[str], before: str, message: str, **more: str) -> None:
    """The last line on stderr, in the form that --progress asks for, even where other arguments are wrong."""
    as_json = "--progress=json" in arguments or any(
        arguments[at : at + 2] == ["--progress", "json"] for at in range(len(arguments))
    )
    print(json.dumps({"event": "error", "message": message, **more}) if as_json else before + message, file=sys.stderr)


def _export(arguments: Sequence[str]) -> int:
    if "--version" in arguments:
        return _version()
    chosen = _parser().parse_args(arguments)
    check_exporter()

    # coremltools imports half a dozen packages under `except:`, which would take Ctrl-C for a package that is missing.
    with StopOnInterrupt() as stop:
        from export.pipeline import ExportOptions, export
    stop.check()

    from export.progress import JsonProgress, Progress, TerminalProgress

    options = ExportOptions(
        output=chosen.output,
        weights=chosen.weights or "lut4",
        group_size=chosen.group_size,
        context_length=chosen.context,
        max_kl=chosen.max_kl,
        size=chosen.size,
        calibrate=chosen.calibrate,
        offline=chosen.offline,
        revision=chosen.revision,
        force=chosen.force,
        verify=not chosen.no_verify,
    )
    progress: Progress = JsonProgress(sys.stderr) if chosen.progress == "json" else TerminalProgress(sys.stderr)
    with contextlib.closing(progress):
        folder = export(chosen.model, options, progress)
    if chosen.progress == "json":
        print(json.dumps({"event": "done", "bundle": str(folder)}), file=sys.stderr, flush=True)
    print(folder)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m export",
        usage="%(prog)s MODEL [options] | list [--json] | inspect BUNDLE [--json | --html FILE]",
        description="Export a Falcon to a verified Core ML bundle. `list` names the models, `inspect` shows a bundle.",
        epilog="Exit codes: 0 done, 1 what the last line says is to be mended, 130 stopped by Ctrl-C.",
    )
    parser.add_argument("model", help="a known name, OWNER/NAME of the Hub, or a folder in Hugging Face layout")
    parser.add_argument("--output", type=Path, help="folder to make (default: bundles/NAME-WEIGHTS)")
    bits = parser.add_mutually_exclusive_group()
    bits.add_argument(
        "--weights",
        metavar="FORMAT",
        help="lut4, lut6, lut8, int4, int8 or fp16; embedding and head keep 8 bits or more (default: lut4)",
    )
    parser.add_argument(
        "--group-size", type=int, metavar="ROWS", help="output rows that share a codebook (default: 32)"
    )
    parser.add_argument(
        "--context", type=int, metavar="TOKENS", help="length of the cache (default: 2048 or the model's, if less)"
    )
    parser.add_argument("--offline", action="store_true", help="use only what the Hub's cache on this machine holds")
    parser.add_argument(
        "--revision",
        help="commit, branch or tag of a model from the Hub (default: the commit that its name stands for)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing bundle")
    parser.add_argument("--no-verify", action="store_true", help="skip the comparison with the original weights")
    bits.add_argument(
        "--size",
        metavar="BYTES",
        help="instead of --weights: what all tensors may take, like 3.6GB; bits go where they lower the error most",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="TEXT",
        help="a text file; codebooks are weighed by the model's own activations on it (default: all columns alike)",
    )
    parser.add_argument(
        "--max-kl",
        type=float,
        metavar="NATS",
        help="mean KL divergence from the original that verification accepts (default: the format's; 0.25 for lut4); "
        "after a refusal, more goes on from the finished weights",
    )
    parser.add_argument(
        "--progress", choices=("text", "json"), default="text", help="on stderr: lines for people, or JSON for programs"
    )
    parser.add_argument("--version", action="store_true", help=argparse.SUPPRESS)
    return parser


def _list(arguments: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m export list", description="Name the models that can be exported and what each takes."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    chosen = parser.parse_args(arguments)

    from export.listing import as_json, render

    print(json.dumps(as_json()) if chosen.json else "\n".join(render()))
    return 0


def _inspect(arguments: Sequence[str]) -> int:
    parser = Parser(prog="python -m export inspect", description="Show what a bundle holds.")
    parser.add_argument(
        "bundle", type=Path, help="folder made by `python -m export`; falcon-tiny-instruct is the embedded model"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    chosen = parser.parse_args(arguments)

    from runtime.cli.folders import model_folder

    folder = model_folder(chosen.bundle, sys.stderr)
    if chosen.html:
        from export.report import write_html

        write_html(folder, chosen.html)
        print(chosen.html)
        return 0

    from export.inspection import inspect, render

    report = inspect(folder)
    print(json.dumps(report, indent=1) if chosen.json else render(report))
    return 0


def _version() -> int:
    from export.writer import tool_versions

    print(", ".join(f"{name} {number}" for name, number in tool_versions().items()))
    return 0


def _describe(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{where}; free some space and try again to go on."
    return f"{error.strerror or error}{where}; check the path and its permissions."


if __name__ == "__main__":
    leave(main())
