"""What the choice of a backend says of cards: torch's and triton's answers are given, the sentences are read."""

from __future__ import annotations

import importlib.util
import os
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import triton

from benchmarks.random_falcon import SHAPES, random_falcon
from runtime.backends.cards import card_in_use, card_reason, interpreted, peak_card_bytes, usable_cards
from runtime.backends.choice import automatic_reason, open_backend, unavailable_reason
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError
from runtime.measure.devices import find_devices
from runtime.packages import install_command
from tests.conftest import Bundles

GIB = 1 << 30


def answers(
    patch: pytest.MonkeyPatch,
    *,
    cuda: str | None = "13.0",
    error: str | None = None,
    capabilities: tuple[tuple[int, int], ...] = ((9, 0),),
    free: int = 80 * GIB,
    launching: Exception | None = None,
) -> None:
    """What torch and triton tell of this machine's cards from now on."""

    def init() -> None:
        if error is not None:
            raise RuntimeError(error)

    class Active:
        @property
        def utils(self) -> object:
            if launching is not None:
                raise launching
            return self

    patch.setattr(triton.runtime.driver, "_active", Active())
    patch.setattr(torch.version, "cuda", cuda)
    patch.setattr(torch.cuda, "init", init)
    patch.setattr(torch.cuda, "device_count", lambda: len(capabilities))
    patch.setattr(torch.cuda, "get_device_capability", lambda card: capabilities[card])
    patch.setattr(torch.cuda, "get_device_name", lambda card: f"card {card}")
    patch.setattr(torch.cuda, "mem_get_info", lambda _card: (free, 2 * free))


def without(*packages: str) -> Callable[[str], Any]:
    known = importlib.util.find_spec
    return lambda name: None if name in packages else known(name)


@pytest.mark.parametrize("package", ["torch", "triton"])
def test_a_missing_package_is_named_with_how_to_install_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", without(package))
    assert f"{package} is not installed (`{install_command('cuda')}`" in str(card_reason())
    assert not interpreted()
    assert unavailable_reason("cuda") == card_reason()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"cuda": None}, "there is no NVIDIA card, or no driver that tells of one"),
        ({"error": "Found no NVIDIA driver on your system."}, "there is no NVIDIA driver"),
        (
            {"error": "The NVIDIA driver on your system is too old"},
            "too old for this torch, which is built for CUDA 13.0",
        ),
        ({"error": "No CUDA GPUs are available"}, "torch sees no NVIDIA card (CUDA_VISIBLE_DEVICES may hide it)"),
        ({"error": "Unexpected error\nfrom cudaGetDeviceCount()"}, "CUDA does not start (Unexpected error)"),
        (
            {"launching": RuntimeError("Failed to find C compiler. Please specify via CC.")},
            "its kernels (Failed to find C compiler. Please specify via CC); it needs a C compiler and Python's",
        ),
        ({"launching": CalledProcessError(1, ["gcc"])}, "its kernels (the C compiler failed); it needs a C compiler"),
        ({"capabilities": ((7, 5),)}, "card 0 is too old: its compute capability is 7.5, and bfloat16 needs 8.0"),
    ],
)
def test_each_lack_has_a_reason_of_its_own(
    told: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch, bundles: Bundles, tmp_path: Path
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    answers(monkeypatch, **told)
    reason = unavailable_reason("cuda")
    assert reason is not None
    assert sentence in reason
    assert "\n" not in reason
    bundle = Bundle.open(bundles("7b", "lut4"))
    with pytest.raises(BackendUnavailableError) as caught:
        open_backend(bundle, "cuda")
    assert reason in str(caught.value)
    assert open_backend(bundle).name == "torch"  # the CPU stays usable


@pytest.mark.skipif(os.name != "posix", reason="nvidia-smi's place is taken by a script of a POSIX shell")
def test_beside_a_card_a_torch_without_cuda_is_told_the_build_to_take(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, cuda=None)
    told = tmp_path / "nvidia-smi"
    told.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559, 580.95, 81000'\n")
    told.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    version = torch.__version__.partition("+")[0]
    assert f"without CUDA (`pip install --force-reinstall torch=={version}` takes" in str(card_reason())


def test_only_cards_that_are_new_enough_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, capabilities=((7, 5), (8, 6), (9, 0)))
    assert card_reason() is None
    assert usable_cards() == [1, 2]


def test_a_bundle_too_large_for_the_card_is_refused_before_it_is_loaded_and_runs_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, bundles: Bundles
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    answers(monkeypatch, free=100 << 20)
    bundle = Bundle.open(bundles("7b", "lut4"))
    refusal = r"needs 5\d\d MiB of a card's memory .* the card has 100 MiB free"
    with pytest.raises(BackendUnavailableError, match=refusal):
        open_backend(bundle, "cuda")
    assert open_backend(bundle).name == "torch"


@pytest.mark.parametrize(("free", "taken"), [(100 << 20, "torch"), (80 * GIB, "cuda")])
def test_devices_says_of_a_bundle_what_loading_it_would_take(
    free: int, taken: str, monkeypatch: pytest.MonkeyPatch, bundles: Bundles
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    answers(monkeypatch, free=free)
    bundle = Bundle.open(bundles("7b", "lut4"))
    assert find_devices().chosen == "cuda"
    found = find_devices(bundle)
    assert found.chosen == taken
    reason = found.backends["cuda"]
    if taken == "torch":
        assert open_backend(bundle).name == taken
        refusal = r"7b needs 5\d\d MiB .* and the card has 100 MiB free; .* choose --backend torch$"
        assert re.match(refusal, reason or "")
    else:
        assert reason is None


def test_devices_takes_no_card_for_a_bundle_whose_shape_the_kernels_lack(
    monkeypatch: pytest.MonkeyPatch, bundles: Bundles
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    answers(monkeypatch)
    monkeypatch.setitem(SHAPES, "tiny-odd", replace(SHAPES["tiny-7b"], num_heads=1))
    odd = random_falcon("tiny-odd", "lut4", torch.device("cpu"))
    monkeypatch.setattr("runtime.backends.cuda.bundle_model", lambda *_: odd)
    found = find_devices(Bundle.open(bundles("7b", "lut4")))
    assert found.chosen == "torch"
    assert found.backends["cuda"] == "the model has heads of 96 numbers; the kernels take 16, 32, 64 or 128"


def test_what_was_loaded_onto_a_card_that_is_then_too_small_is_given_back(
    monkeypatch: pytest.MonkeyPatch, bundles: Bundles
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    answers(monkeypatch)
    loaded: list[weakref.ref[torch.nn.Module]] = []
    held: list[bool] = []  # when torch was asked to give back

    def full(module: torch.nn.Module, *_: Any) -> None:
        loaded.append(weakref.ref(module))
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.nn.Module, "to", full)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: held.extend(module() is not None for module in loaded))
    assert open_backend(Bundle.open(bundles("7b", "lut4"))).name == "torch"
    assert held == [False]


def test_the_interpreter_is_taken_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, bundles: Bundles) -> None:
    answers(monkeypatch, cuda=None)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert unavailable_reason("cuda") is None
    assert automatic_reason("cuda") is not None
    assert open_backend(Bundle.open(bundles("7b", "lut4"))).name == "torch"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("CUDA error: out of memory\nCompile with", "of a card's memory .* the card has 0 bytes free"),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "the card has 0 bytes free; close other"),
        ("CUDA error: unknown error\nCompile with", r"cannot run: CUDA does not start \(CUDA error: unknown error\)"),
    ],
)
def test_a_card_that_others_hold_or_that_does_not_start_is_one_sentence_and_leaves_the_cpu(
    message: str, sentence: str, monkeypatch: pytest.MonkeyPatch, bundles: Bundles
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    answers(monkeypatch)

    def fails(_card: int) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(torch.cuda, "mem_get_info", fails)
    bundle = Bundle.open(bundles("7b", "lut4"))
    with pytest.raises(BackendUnavailableError, match=sentence) as caught:
        open_backend(bundle, "cuda")
    assert "\n" not in str(caught.value)
    assert open_backend(bundle).name == "torch"


def test_of_several_cards_the_one_that_holds_the_model_is_the_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, capabilities=((8, 0), (9, 0)))
    peaks = [0, 0]
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda card: peaks[card])
    first = card_in_use()
    assert first is not None
    assert first.name == "card 0"
    peaks[1] = GIB
    second = card_in_use()
    assert second is not None
    assert second.name == "card 1"
    assert peak_card_bytes() == GIB
