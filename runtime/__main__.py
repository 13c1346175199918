"""Command line: `python -m runtime chat|complete [BUNDLE]`. Exit codes: 0, 1 the world's fault, 2 usage, 130 Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from runtime.cli.arguments import parse
from runtime.cli.commands import run
from runtime.errors import UserFacingError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and turn the world's faults into one line."""
    try:
        return run(parse(sys.argv[1:] if arguments is None else arguments), sys.stdin, sys.stdout, sys.stderr)
    except UserFacingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader left; Python would complain once more while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UnicodeDecodeError:
        print("error: The input is not UTF-8 text; convert it first.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
