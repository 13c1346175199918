"""Start a package that was just built: its window is painted, its engine answers. `python -m installer.check dist`"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_SECONDS = 300
QUESTION, ANSWER = "What is the capital of France?", "Paris"


def main(built: Path) -> int:
    """0 where both were seen; what went wrong is printed."""
    application = built / ("Falconet.app/Contents/MacOS/Falconet" if sys.platform == "darwin" else "Falconet/Falconet")
    whole = built / ("Falconet.app" if sys.platform == "darwin" else "Falconet")
    size = sum(file.lstat().st_size for file in whole.rglob("*") if file.is_file())
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "QT_QPA_PLATFORM": "offscreen",
            "FALCONET_DATA": f"{folder}/data",
            "FALCONET_CACHE": f"{folder}/cache",
        }
        seen = []
        for arguments, wanted in (
            (["--check"], "The window was painted.\nA formula was drawn.\nCode was coloured."),
            (["--run-module", "runtime", "chat", "--temperature", "0"], ANSWER),
        ):
            begun = time.monotonic()
            done = subprocess.run(
                [application, *arguments],
                input=QUESTION,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            good = done.returncode == 0 and wanted in done.stdout
            seen.append(good)
            print(f"{'ok' if good else 'FAILED'} {' '.join(arguments)} ({time.monotonic() - begun:.1f} s)")
            if not good:
                print(done.stdout, done.stderr, f"exit code {done.returncode}", sep="\n")
    print(f"{whole}: {size / 1e6:.0f} MB")
    return 0 if all(seen) else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
