"""The command `devices`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from runtime.bundle import Bundle
from runtime.cli.folders import model_folder
from runtime.cli.measuring import DevicesOptions
from runtime.cli.table import wrapped, write_json
from runtime.measure.devices import Devices, Fit, find_devices, fit
from runtime.sizes import memory_size

_VERDICTS = {
    "yes": "It fits.",
    "not-now": "It fits once other programs free memory.",
    "no": "It does not fit: it would run from disk, token by token, if at all.",
    "unknown": "This system does not tell how much memory there is.",
}

_CARD_VERDICTS = {
    "yes": "It fits.",
    "not-now": "It fits once other programs free memory.",
    "no": "It does not fit one card.",
    "unknown": "The driver does not tell how much memory there is.",
}


def run_devices(options: DevicesOptions, out: TextIO, err: TextIO) -> int:
    """Look around and print; returns the exit code."""
    bundle = None if options.bundle is None else Bundle.open(model_folder(options.bundle, err))
    devices = find_devices(bundle)
    found = None if bundle is None else fit(bundle.manifest, devices)
    if options.json:
        write_json(out, devices.to_json() | {"bundle": found.to_json() if found else None})
    else:
        lines = [*_machine(devices), "", *_backends(devices)]
        if found:
            lines += ["", *_fit(found, devices)]
        out.write("\n".join(lines) + "\n")
    return 0


def _machine(devices: Devices) -> Iterator[str]:
    about = devices.machine
    yield f"system     {about['system']} {about['release']}, {about['architecture']}"
    model = f"{about['model']}, " if about["model"] else ""
    cores = (
        f"{about['cores']} cores"
        if about["cores"] == devices.cores
        else (f"{devices.cores} of {about['cores']} cores usable")
    )
    yield f"processor  {model}{about['processor'] or 'unknown'}, {cores}"
    free = "" if devices.available is None else f", {memory_size(devices.available)} available"
    yield f"memory     {'unknown' if devices.memory is None else memory_size(devices.memory)}{free}"
    yield f"GPU        {_cards(devices)}"


def _cards(devices: Devices) -> str:
    found = devices.cards
    if not found.cards:
        return "Apple's, which torch reaches" if found.apple_gpu else "no NVIDIA card"
    names = ", ".join(
        card.name
        + (f" with {memory_size(card.memory_bytes)}" if card.memory_bytes else "")
        + (f" ({memory_size(card.free_bytes)} free)" if card.free_bytes is not None else "")
        for card in found.cards
    )
    driver = f", driver {found.cards[0].driver}" if found.cards[0].driver else ""
    if found.usable:
        return f"{names}{driver}, torch for CUDA {found.cuda}"
    why = "torch is not installed or built without CUDA" if found.cuda is None else "torch cannot reach it"
    return f"{names}{driver}; {why}"


def _backends(devices: Devices) -> Iterator[str]:
    for name, reason in devices.backends.items():
        chosen = ", taken unless --backend says otherwise" if name == devices.chosen else ""
        yield f"{name:<9}  " + (f"available{chosen}" if reason is None else f"not available: {reason}")


def _fit(found: Fit, devices: Devices) -> Iterator[str]:
    needs = found.needs
    of = "" if devices.memory is None else f" of {memory_size(devices.memory)}"
    yield wrapped(
        f"{found.name} takes up to {memory_size(needs.total)}{of}: weights {memory_size(needs.weights)}, work "
        f"{memory_size(needs.working)}, cache of a full context {memory_size(needs.cache)}, program "
        f"{memory_size(needs.program)}. {_VERDICTS[found.verdict]} An estimate for one conversation on the processor."
    )
    if found.card_verdict is not None:
        several = " Layers of a larger model are spread over the cards." if len(devices.cards.cards) > 1 else ""
        yield wrapped(
            f"On a card it takes up to {memory_size(found.card_needs)} of its memory. "
            f"{_CARD_VERDICTS[found.card_verdict]}{several}"
        )
