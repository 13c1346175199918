"""Sources: the models known by name, any repository of the Hub, and any folder in Hugging Face's layout."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import models.tiny
from export.chatformat import chat_format
from export.filehash import FileHashes
from export.progress import Progress, SilentProgress, advance_from
from models.config import FalconConfig
from models.family import FAMILY
from runtime.errors import OptionError, UserFacingError
from runtime.paths import cache_folder
from runtime.repository import is_repository

if TYPE_CHECKING:
    from export.hub import Hub
    from models.checkpoint import Checkpoint


_REVISION = re.compile(r"\w[\w+-]*([./][\w+-]+)*")  # names a file of the cache, so no way out of it may hide in it


class SourceError(UserFacingError):
    """A model that is not known, or a folder that holds none."""


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model that users call by name. `folder` is set for what ships with the program.

    `revision` is the commit that is fetched, so that a name means the same bytes in every year. Where it could not be
    looked up it is None: then the first download into a cache decides, for all that follow it.
    """

    name: str
    hub_name: str
    chat_template: str
    parameters: str
    shape: str = ""  # a key of FAMILY, where there is no `folder`
    revision: str | None = None
    folder: Path | None = None

    @property
    def config(self) -> FalconConfig:
        """For what is told before its own config.json is here."""
        return FAMILY[self.shape] if self.folder is None else FalconConfig.open(self.folder)


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
            shape="7b",
            revision="8782b5c5d8c9290412416618f36a133653e85285",
        ),
        KnownModel(
            name="falcon-7b",
            hub_name="tiiuae/falcon-7b",
            chat_template="raw",
            parameters="6.9 B",
            shape="7b",
            revision="ec89142b67d748a1865ea4451372db8313ada0d8",
        ),
        KnownModel(
            name="falcon-40b-instruct",
            hub_name="tiiuae/falcon-40b-instruct",
            chat_template="falcon-instruct",
            parameters="41 B",
            shape="40b",
            revision="ecb78d97ac356d098e79f0db222c9ce7c5d9ee5f",
        ),
        KnownModel(
            name="falcon-40b",
            hub_name="tiiuae/falcon-40b",
            chat_template="raw",
            parameters="41 B",
            shape="40b",
            revision="4a70170c215b36a3cce4b4253f6d0612bb7d4146",
        ),
        KnownModel(
            name="falcon-11b",
            hub_name="tiiuae/falcon-11B",
            chat_template="raw",
            parameters="11 B",
            shape="11b",
            revision="a4ab868d7e8d53844009657bf7e755933ccccf8f",
        ),
        KnownModel(
            name="falcon-rw-1b",
            hub_name="tiiuae/falcon-rw-1b",
            chat_template="raw",
            parameters="1.3 B",
            shape="rw-1b",
            revision="e4b9872bb803165eb22f0a867d4e6a64d34fce19",
        ),
        KnownModel(
            name="falcon-180b",
            hub_name="tiiuae/falcon-180B",
            chat_template="raw",
            parameters="180 B",
            shape="180b",
        ),
        KnownModel(
            name="falcon-180b-chat",
            hub_name="tiiuae/falcon-180B-chat",
            chat_template="falcon-180b-chat",
            parameters="180 B",
            shape="180b",
        ),
    )
}
_KNOWN_FORMATS = {name.lower(): m.chat_template for m in KNOWN.values() for name in (m.name, m.hub_name)}


@dataclass(frozen=True, kw_only=True)
class ResolvedSource:
    """A checkpoint folder on this machine, and what is known about it; `revision` is its commit on the Hub.

    Config and tokenizer are there; `fetch_weights` brings what is missing of the weights, `missing_bytes` in all.
    """

    name: str
    hub_name: str
    chat_template: str
    folder: Path
    revision: str | None = None
    missing_bytes: int = field(default=0, compare=False)
    fetch_weights: Callable[[], None] = field(default=lambda: None, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether it is one of the models that are known by name: its chat format is no guess."""
        return any(model.hub_name == self.hub_name for model in KNOWN.values())


def resolve(
    named: str,
    *,
    revision: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    hub: Hub | None = None,
) -> ResolvedSource:
    """The folder for a path, a known name or a repository (`owner/name`); config and tokenizer of the latter two are
    fetched from `hub`, if need be.

    `hub` None is the one that the environment names, `revision` None what the name stands for. With `offline` only what
    the cache holds is used. Raises SourceError, with the nearest known names, for a name that is not known, OptionError
    for a `revision` that is none or has nothing to choose from, and HubError where fetching fails.
    """
    if not named.strip():
        raise SourceError("No model was named; `python -m export list` names those that are known.")
    known = KNOWN.get(named.lower()) or next((m for m in KNOWN.values() if m.hub_name.lower() == named.lower()), None)
    if revision is not None and not _REVISION.fullmatch(revision):
        raise OptionError(f"--revision {revision!r} is no commit, branch or tag; copy one from the model's page.")
    if known and known.folder:
        if revision is not None:
            raise OptionError(f"{known.name} comes with Falconet; leave out --revision.")
        return ResolvedSource(
            name=known.name, hub_name=known.hub_name, chat_template=known.chat_template, folder=known.folder
        )
    path = _expanded(named)
    if path.is_dir():
        if revision is not None:
            raise OptionError(f"--revision chooses a commit of the Hub, and {named} is a folder; leave it out.")
        name = path.resolve().name
        same = KNOWN.get(name.lower())
        return ResolvedSource(
            name=name,
            hub_name=same.hub_name if same else name,
            chat_template=chat_format(path, _KNOWN_FORMATS, name=name),
            folder=path,
        )
    if known or (is_repository(named) and not path.exists()):
        return _of_the_hub(named, known, revision, progress or SilentProgress(), offline=offline, hub=hub)
    if path.exists():
        raise SourceError(f"{named} is a file; name the folder that holds a model's config.json and weights.")
    near = difflib.get_close_matches(named.lower(), KNOWN, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise SourceError(
        f"{named!r} is neither a folder nor a known model; {hint}`python -m export list` names those that are known, "
        "OWNER/NAME any other of the Hub."
    )


def _of_the_hub(
    named: str,
    known: KnownModel | None,
    revision: str | None,
    progress: Progress,
    *,
    offline: bool,
    hub: Hub | None,
) -> ResolvedSource:
    """A known model, or the repository that is called `named`."""
    from export.hub import HubError, begin_fetch  # not above: folders do without huggingface_hub, slow to import

    if known:
        snapshot = begin_fetch(known.hub_name, revision or known.revision, progress, offline=offline, hub=hub)
        name, template = known.name, known.chat_template
    else:
        try:
            snapshot = begin_fetch(named, revision, progress, offline=offline, hub=hub)
        except HubError as error:
            raise HubError(f"There is no folder {named}; as a model of the Hub: {error}") from None
        name = named.partition("/")[2]
        template = chat_format(snapshot.folder, _KNOWN_FORMATS, name=name)
    return ResolvedSource(
        name=name,
        hub_name=known.hub_name if known else named,
        chat_template=template,
        folder=snapshot.folder,
        revision=snapshot.revision,
        missing_bytes=snapshot.missing_bytes,
        fetch_weights=snapshot.fetch_weights,
    )


def _expanded(named: str) -> Path:
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise SourceError(f"{named} names a home folder that does not exist; name another folder.") from None


def source_hash(checkpoint: Checkpoint, progress: Progress) -> str:
    """SHA-256 over "<sha256>  <name>" lines of config.json and the weight files, as `sha256sum` prints them.

    Two sources of one hash give the same weights; the tokenizer's files are in the manifest each with its own hash. A
    file that this machine has hashed before, and that has not changed since by size and time, is not read again.
    """
    files = [checkpoint.folder / "config.json", *checkpoint.files()]
    hashes = FileHashes(cache_folder() / "hashes")
    progress.start("hash", sum(file.stat().st_size for file in files), "bytes")
    done = 0
    lines = []
    for file in files:
        lines.append(f"{hashes.get(file, advance_from(progress, done))}  {file.name}\n")
        done += file.stat().st_size
        progress.advance(done)
    progress.finish()
    return hashlib.sha256("".join(lines).encode()).hexdigest()
