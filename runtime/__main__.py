"""Command line: `python -m runtime COMMAND`. Exit codes: 0, 1 the world's fault, 130 Ctrl-C."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence

from runtime.cli.failure import tell_failure, wants_json
from runtime.cli.streams import drop, open_closed_streams
from runtime.errors import UserFacingError
from runtime.exhausted import MEMORY_ENDED, memory_exhausted
from runtime.interrupt import leave
from runtime.packages import check_python, missing_package

_UNLOADABLE = (126, 127, 1114)  # Windows' numbers: a library, or what it needs, is not found or does not start


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and turn the world's faults into one line."""
    open_closed_streams()
    stdin, out, err = sys.stdin, sys.stdout, sys.stderr
    given = sys.argv[1:] if arguments is None else arguments
    json_lines = wants_json(given)
    if isinstance(out, io.TextIOWrapper):
        # JSON is UTF-8, and so is what Windows' programs read from each other, whatever its code page is. For people, a
        # character that their terminal lacks must not end the answer.
        unicode = json_lines or (os.name == "nt" and not out.isatty())
        out.reconfigure(encoding="utf-8" if unicode else out.encoding, errors="replace")
    try:
        check_python()
        # Here, so that Ctrl-C while numpy loads is no traceback either.
        from runtime.cli.arguments import DoctorOptions, Options, parse
        from runtime.cli.serving import ServeOptions, run_serving

        options = parse(given)
        if isinstance(options, DoctorOptions):
            from runtime.cli.folders import model_folder
            from runtime.doctor.checkup import run_doctor

            code = run_doctor(model_folder(options.bundle, err), options.report, out, err)
        elif isinstance(options, Options):
            from runtime.cli.commands import run

            code = run(options, stdin, out, err)
        elif isinstance(options, ServeOptions):
            code = run_serving(options, out, err)
        else:
            from runtime.cli.measuring import run_measuring

            code = run_measuring(options, stdin, out, err)
        out.flush()
    except UserFacingError as error:
        tell_failure(str(error), out, err, json_lines=json_lines)
        return 1
    except ModuleNotFoundError as error:
        tell_failure(str(missing_package(error, "export")), out, err, json_lines=json_lines)
        return 1
    except KeyboardInterrupt:
        print(file=err)
        return 130
    except BrokenPipeError:  # the reader left, as `| head -1` does: no error to speak of
        drop(out)
        return 1
    except OSError as error:
        tell_failure(_describe(error), out, err, json_lines=json_lines)
        drop(out)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not memory_exhausted(error):
            raise
        tell_failure(MEMORY_ENDED, out, err, json_lines=json_lines)
        return 1
    return code


def _describe(error: OSError) -> str:
    if getattr(error, "winerror", None) in _UNLOADABLE:
        return (
            "Libraries of torch cannot be loaded: install Microsoft's Visual C++ Redistributable "
            "(https://aka.ms/vs/17/release/vc_redist.x64.exe), which it needs, and try again."
        )
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{where}; free some space and try again."
    return f"{error.strerror or error}{where}; check the path and its permissions."


if __name__ == "__main__":
    leave(main())
