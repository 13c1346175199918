"""Which folder a user means."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TextIO

from runtime.errors import BundleError
from runtime.manifest import MANIFEST_NAME

EMBEDDED = "falcon-tiny-instruct"
_BUNDLES = Path("bundles")  # where `python -m export` writes unless told otherwise


def model_folder(named: Path | None, err: TextIO) -> Path:
    """The folder to open; None is the embedded model's, whose name stands for it too. Raises BundleError, with the
    nearest bundle here, for one that does not exist."""
    if named is None or (str(named) == EMBEDDED and not named.exists()):
        from runtime.embedded import embedded_bundle

        return embedded_bundle(err)
    if named.exists():
        return named
    here = [path.parent.as_posix() for path in sorted(_BUNDLES.glob(f"*/{MANIFEST_NAME}"))]
    near = difflib.get_close_matches((_BUNDLES / named.name).as_posix(), here, n=1, cutoff=0.5)
    own = f"`python -m export` makes bundles, and {EMBEDDED} names the embedded one."
    hint = f"did you mean {near[0]}?" if near else own
    raise BundleError(f"{named} does not exist: {hint}")
