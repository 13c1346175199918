"""`python -m screenshots`: pictures of the window's main states as PNG files, at two pixels to a point."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

# Before Qt is asked for an application.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_SCALE_FACTOR"] = "2"

from desktop.app import make_application
from screenshots.pictures import PICTURES
from screenshots.png import save

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
