"""KnownModel: a model that the exporter knows by name, and what it takes before anything of it is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QObject

from desktop.library.export_job import parse_event
from desktop.library.processes import ModuleProcess


@dataclass(frozen=True, kw_only=True)
class Takes:
    """In bytes, in one format of weights. Rough: the exporter says what it really needs when it begins."""

    disk: int  # of the bundle
    memory: int  # to run it


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model that is exported by its name. `hub` is where its weights come from; `takes` is by format."""

    name: str
    hub: str
    parameters: str  # for people: "6.9 B", "embedded"
    download: int = 0  # bytes; 0 for what comes with the program
    takes: Mapping[str, Takes] = field(default_factory=dict)


def list_known(reply: Callable[[list[KnownModel]], None], parent: QObject) -> ModuleProcess:
    """Ask the exporter which models it knows; `reply` gets none where there is no exporter."""
    process = ModuleProcess("export", ["list", "--json"], parent)

    def answer(code: int, out: str) -> None:
        found = parse_event(out) if code == 0 else {}
        reply(
            [
                KnownModel(
                    name=name,
                    hub=about["hub"],
                    parameters=about["parameters"],
                    download=about["download_bytes"],
                    takes={
                        weights: Takes(disk=size["bundle_bytes"], memory=size["memory_bytes"])
                        for weights, size in about["sizes"].items()
                    },
                )
                for name, about in found.items()
            ]
        )
        process.deleteLater()

    process.ended.connect(answer)
    return process
