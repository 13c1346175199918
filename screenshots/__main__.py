"""`python -m screenshots`: pictures of the window's main states as PNG files, at two pixels to a point."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from screenshots.screen import use_screen

use_screen(2)  # before Qt is asked for an application

from desktop.app import make_application  # noqa: E402
from screenshots.pictures import PICTURES  # noqa: E402
from screenshots.png import save  # noqa: E402

FOLDER = Path(__file__).parents[1] / "docs" / "images"


def main() -> int:
    """Exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones (all of {', '.join(PICTURES)})")
    parser.add_argument("--output", type=Path, default=FOLDER, help="where to (docs/images)")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in PICTURES]:
        parser.error(f"there is no picture {unknown[0]!r}: choose of {', '.join(PICTURES)}")
    application = make_application(["falconet"])
    for name in options.names or PICTURES:
        begun = time.monotonic()
        file = options.output / f"desktop-{name}.png"
        with tempfile.TemporaryDirectory() as folder:
            save(PICTURES[name](application, Path(folder)), file)
        print(f"{file} ({file.stat().st_size // 1000} kB, {time.monotonic() - begun:.1f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
