"""Command line: `python -m export.demo`, the whole way in one command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runtime.cli.parser import Parser
from runtime.cli.streams import drop, open_closed_streams
from runtime.errors import UserFacingError
from runtime.interrupt import StopOnInterrupt, leave
from runtime.packages import check_exporter, check_python, missing_package


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0, 1 with one line for the world's fault, or 130 for Ctrl-C."""
    open_closed_streams()
    try:
        check_python()
        Parser(
            prog="python -m export.demo",
            description="Export the embedded model to bundles/falcon-tiny-instruct-lut4 (what stands there is "
            "replaced), ask it three questions through its Core ML package, and print how long that took.",
        ).parse_args(arguments)
        check_exporter()
        with StopOnInterrupt() as stop:  # see export.__main__
            from export.demo.talk import run
        stop.check()
        run(sys.stdout)
        sys.stdout.flush()
    except UserFacingError as error:
        print("error:", *str(error).splitlines(), file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print("error:", missing_package(error, "export"), file=sys.stderr)
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # the reader left, as `| head -1` does: no error to speak of
            print(f"error: {error.strerror or error}; check the disk's free space and try again.", file=sys.stderr)
        drop(sys.stdout)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    leave(main())
