"""Sources: the models known by name, and any folder in Hugging Face's layout."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import models.tiny
from export.progress import Progress
from models.checkpoint import Checkpoint
from runtime.errors import UserFacingError

_READ_BYTES = 1 << 22


class SourceError(UserFacingError):
    """A model that is not known, or a folder that holds none."""


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model that users call by name. `folder` is set for what ships with the program."""

    name: str
    hub_name: str
    chat_template: str
    parameters: str
    folder: Path | None = None


KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            name="falcon-tiny-instruct",
            hub_name="falconet/falcon-tiny-instruct",
            chat_template="falcon-instruct",
            parameters="embedded",
            folder=models.tiny.FOLDER,
        ),
        KnownModel(
            name="falcon-7b-instruct",
            hub_name="tiiuae/falcon-7b-instruct",
            chat_template="falcon-instruct",
            parameters="6.9 B",
        ),
        KnownModel(name="falcon-7b", hub_name="tiiuae/falcon-7b", chat_template="raw", parameters="6.9 B"),
        KnownModel(
            name="falcon-40b-instruct",
            hub_name="tiiuae/falcon-40b-instruct",
            chat_template="falcon-instruct",
            parameters="41 B",
        ),
        KnownModel(name="falcon-40b", hub_name="tiiuae/falcon-40b", chat_template="raw", parameters="41 B"),
        KnownModel(name="falcon-11b", hub_name="tiiuae/falcon-11B", chat_template="raw", parameters="11 B"),
        KnownModel(name="falcon-rw-1b", hub_name="tiiuae/falcon-rw-1b", chat_template="raw", parameters="1.3 B"),
        KnownModel(name="falcon-180b", hub_name="tiiuae/falcon-180B", chat_template="raw", parameters="180 B"),
        KnownModel(
            name="falcon-180b-chat",
            hub_name="tiiuae/falcon-180B-chat",
            chat_template="falcon-180b-chat",
            parameters="180 B",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class ResolvedSource:
    """A checkpoint folder on this machine, and what is known about it."""

    name: str
    hub_name: str
    chat_template: str
    folder: Path


def resolve(named: str) -> ResolvedSource:
    """The folder for a known name or a path. Raises SourceError, with the nearest known names, for anything else."""
    known = KNOWN.get(named.lower())
    if known and known.folder:
        return ResolvedSource(
            name=known.name, hub_name=known.hub_name, chat_template=known.chat_template, folder=known.folder
        )
    path = Path(named).expanduser()
    if path.is_dir():
        name = path.resolve().name
        same = KNOWN.get(name.lower())
        return ResolvedSource(
            name=name,
            hub_name=same.hub_name if same else name,
            chat_template=same.chat_template if same else _guess_template(name),
            folder=path,
        )
    if known:
        raise SourceError(
            f"{known.name} is not on this machine: fetch it with `hf download {known.hub_name} --local-dir "
            f"{known.name}` and run `python -m export ./{known.name}`."
        )
    near = difflib.get_close_matches(named.lower(), KNOWN, n=3, cutoff=0.4) or list(KNOWN)[:3]
    raise SourceError(
        f"{named} is neither a folder nor a known model; did you mean {' or '.join(near)}? "
        "`python -m export list` names them all."
    )


def _guess_template(name: str) -> str:
    lowered = name.lower()
    if "instruct" in lowered:
        return "falcon-instruct"
    return "falcon-180b-chat" if "chat" in lowered else "raw"


def source_hash(checkpoint: Checkpoint, progress: Progress) -> str:
    """SHA-256 over config.json and the weight files: two sources of one hash give the same bundle."""
    files = [checkpoint.folder / "config.json", *checkpoint.files()]
    digest = hashlib.sha256()
    progress.start("hash", sum(file.stat().st_size for file in files), "bytes")
    done = 0
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress.advance(done)
    progress.finish()
    return digest.hexdigest()
