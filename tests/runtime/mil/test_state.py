"""States: a copy is read, a copy is written back, and the shortcut that avoids both copies cannot be told from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.mil import InputError, Program, State
from runtime.mil.state import StateUse, analyse
from runtime.quiet import quiet
from tests.runtime.mil.conversion import ct, mb, numbers, save, types

LAYERS, HEADS, HEAD_SIZE, CONTEXT, VOCABULARY = 2, 3, 8, 16, 40
WIDTH = HEADS * HEAD_SIZE
CACHE = (LAYERS, 1, 1, CONTEXT, HEAD_SIZE)
STATES = ("keyCache", "valueCache")


class Decoder(torch.nn.Module):
    """A decoder of Falcon-7B's kind: one key head, whose keys and values are states."""

    keyCache: torch.Tensor  # noqa: N815
    valueCache: torch.Tensor  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embed = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(WIDTH) for _ in range(LAYERS))
        self.fused = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH + 2 * HEAD_SIZE) for _ in range(LAYERS))
        self.out = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))
        for name in STATES:
            self.register_buffer(name, torch.zeros(CACHE))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        length, end = ids.shape[1], mask.shape[-1]
        begin = end - length
        for layer in range(LAYERS):
            query, key, value = self.fused[layer](self.norms[layer](x)).split((WIDTH, HEAD_SIZE, HEAD_SIZE), -1)
            self.keyCache[layer, :, :, begin:end, :] = key.unsqueeze(1)
            self.valueCache[layer, :, :, begin:end, :] = value.unsqueeze(1)
            query = query.view(1, length, HEADS, HEAD_SIZE).transpose(1, 2).reshape(1, 1, HEADS * length, HEAD_SIZE)
            mixed = torch.nn.functional.scaled_dot_product_attention(
                query,
                self.keyCache[layer, :, :, :end, :],
                self.valueCache[layer, :, :, :end, :],
                attn_mask=mask.repeat(1, 1, HEADS, 1),
            )
            x = x + self.out[layer](mixed.view(1, HEADS, length, HEAD_SIZE).transpose(1, 2).reshape(1, length, WIDTH))
        return torch.nn.functional.linear(x, self.embed.weight)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def package(decoder: Decoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder") / "decoder.mlpackage"
    query, end = (ct.RangeDim(1, CONTEXT, default=1) for _ in range(2))
    with quiet():
        traced = torch.jit.trace(
            Decoder().eval(), (torch.zeros(1, 2, dtype=torch.int32), torch.zeros(1, 1, 2, 5)), check_trace=False
        )
        model = ct.convert(
            traced,
            inputs=[
                ct.TensorType("ids", (1, query), np.int32),
                ct.TensorType("mask", (1, 1, query, end), np.float16),
            ],
            outputs=[ct.TensorType("logits", dtype=np.float16)],
            states=[ct.StateType(ct.TensorType(shape=CACHE, dtype=np.float16), name=name) for name in STATES],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )
        model.save(str(path))
    return path


def causal_mask(past: int, new: int) -> np.ndarray:
    return np.triu(np.full((new, past + new), -np.inf, np.float32), past + 1)[None, None]


def feed(program: Program, state: State, tokens: np.ndarray, past: int) -> np.ndarray:
    ids = tokens[None].astype(np.int32)
    return program.predict({"ids": ids, "mask": causal_mask(past, len(tokens))}, state)["logits"]


TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, CONTEXT)


def test_a_decoder_agrees_with_torch_piece_by_piece(decoder: Decoder, package: Path) -> None:
    program = Program.open(package)
    state = program.new_state()
    decoder.keyCache.zero_()
    decoder.valueCache.zero_()
    past = 0
    for new in (5, 1, 3, 1, 6):
        tokens = TOKENS[past : past + new]
        with torch.no_grad():
            wanted = decoder(torch.from_numpy(tokens)[None], torch.from_numpy(causal_mask(past, new)))
        np.testing.assert_allclose(feed(program, state, tokens, past), wanted, atol=4e-3, rtol=2e-3)
        past += new
    np.testing.assert_allclose(state["keyCache"].float(), decoder.keyCache, atol=4e-3, rtol=2e-3)


def test_feeding_in_one_piece_equals_feeding_in_many(package: Path) -> None:
    program = Program.open(package)
    whole, pieces = program.new_state(), program.new_state()
    wanted = feed(program, whole, TOKENS[:8], 0)
    got = [feed(program, pieces, TOKENS[place : place + 1], place) for place in range(8)]
    np.testing.assert_allclose(np.concatenate(got, 1), wanted, atol=2e-5)
    assert torch.equal(whole["valueCache"], pieces["valueCache"])


def test_a_copied_state_goes_its_own_way(package: Path) -> None:
    program = Program.open(package)
    state = program.new_state()
    feed(program, state, TOKENS[:4], 0)
    branch = state.copy()
    wanted = feed(program, state, TOKENS[4:6], 4)
    feed(program, branch, TOKENS[9:12], 4)
    np.testing.assert_array_equal(feed(program, state, TOKENS[4:6], 4), wanted)


def test_the_cache_of_a_decoder_is_never_copied_whole(package: Path) -> None:
    block = Program.open(package)._function.block
    use = analyse(block)
    updates = {number for number, op in enumerate(block.ops) if op.type == "slice_update"}
    reads = {number for number, op in enumerate(block.ops) if op.type == "read_state"}
    assert len(updates) == 2 * LAYERS
    assert use == StateUse(in_place=frozenset(updates), borrowed=frozenset(reads))


def test_states_are_described_and_demanded(package: Path) -> None:
    program = Program.open(package)
    assert tuple(feature.name for feature in program.states) == STATES
    state = program.new_state()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == dict.fromkeys(STATES, CACHE)
    assert all(tensor.dtype == torch.float16 and not tensor.any() for tensor in state.values())
    inputs = {"ids": np.zeros((1, 1), np.int32), "mask": np.zeros((1, 1, 1, 1), np.float32)}
    with pytest.raises(InputError, match=r"states \(keyCache, valueCache\); give predict one made by new_state\(\)"):
        program.predict(inputs)
    with pytest.raises(
        InputError, match=r"State keyCache is fp16 \(1, 2\) where the program keeps fp16 \(2, 1, 1, 16, 8\)"
    ):
        program.predict(inputs, State.zeros({"keyCache": (1, 2)}))
    with pytest.raises(InputError, match="State valueCache is missing where the program keeps fp16"):
        program.predict(inputs, State.zeros({"keyCache": CACHE}))
    with pytest.raises(InputError, match="not a dict"):
        program.predict(inputs, dict(state))  # type: ignore[arg-type]


def test_a_state_stays_with_the_package_that_made_it(package: Path, tmp_path: Path) -> None:
    program, other = Program.open(package), Program.open(shutil.copytree(package, tmp_path / "other.mlpackage"))
    for state in (other.new_state(), other.new_state().copy()):
        with pytest.raises(
            InputError, match=r"made by .*other\.mlpackage; use one made by new_state\(\) of .*decoder\."
        ):
            feed(program, state, TOKENS[:2], 0)
    assert feed(Program.open(package), program.new_state(), TOKENS[:2], 0).size, "opened again, it is the same one"


@pytest.mark.parametrize(
    ("queries", "end"), [(2, 3), (1, 3), (4, 4), (3, 2)], ids=["few rows", "one row", "many rows", "too narrow"]
)
def test_a_mask_that_does_not_go_with_the_tokens_is_named_beside_them(package: Path, queries: int, end: int) -> None:
    program = Program.open(package)
    inputs = {"ids": np.zeros((1, 3), np.int32), "mask": np.zeros((1, 1, queries, end), np.float32)}
    said = rf"The shapes of ids \(1, 3\) and mask \(1, 1, {queries}, {end}\) do not go together \(in the \w+ op"
    with pytest.raises(InputError, match=said) as caught:
        program.predict(inputs, program.new_state())
    assert "\n" not in str(caught.value)


Script = Callable[[Any, Any], list[Any]]
NEW = numbers(1, 3).astype(np.float16)


def _write_row(value: Any, new: Any, row: int) -> Any:
    return mb.slice_update(x=value, update=new, begin=[row, 0], end=[row + 1, 3])


def _row(value: Any, row: int) -> Any:
    return mb.slice_by_index(x=value, begin=[row, 0], end=[row + 1, 3])


def _plain(state: Any, new: Any) -> list[Any]:
    after = mb.coreml_update_state(state=state, value=_write_row(mb.read_state(input=state), new, 1))
    return [_row(after, 1), mb.add(x=after, y=np.float16(1))]


def _old_copy_used_after_the_write(state: Any, new: Any) -> list[Any]:
    before = mb.read_state(input=state)
    after = mb.coreml_update_state(state=state, value=_write_row(before, new, 1))
    return [mb.mul(x=before, y=np.float16(3)), _row(after, 1)]


def _changed_copy_never_written(state: Any, new: Any) -> list[Any]:
    changed = _write_row(mb.read_state(input=state), new, 0)
    return [_row(changed, 0), mb.identity(x=mb.read_state(input=state))]


def _two_changes_then_one_write(state: Any, new: Any) -> list[Any]:
    once = _write_row(mb.read_state(input=state), new, 0)
    twice = _write_row(once, mb.add(x=_row(once, 0), y=np.float16(1)), 2)
    return [mb.identity(x=mb.coreml_update_state(state=state, value=twice))]


def _first_of_two_changes_used_later(state: Any, new: Any) -> list[Any]:
    once = _write_row(mb.read_state(input=state), new, 0)
    twice = _write_row(once, mb.add(x=new, y=np.float16(1)), 0)
    after = mb.coreml_update_state(state=state, value=twice)
    return [_row(once, 0), _row(after, 0)]


def _two_readers_one_write(state: Any, new: Any) -> list[Any]:
    first, second = mb.read_state(input=state), mb.read_state(input=state)
    mb.coreml_update_state(state=state, value=_write_row(first, new, 1))
    return [mb.identity(x=second)]


def _write_between_read_and_write(state: Any, new: Any) -> list[Any]:
    first = mb.read_state(input=state)
    mb.coreml_update_state(state=state, value=_write_row(mb.read_state(input=state), new, 1))
    mb.coreml_update_state(state=state, value=_write_row(first, new, 2))
    return [mb.identity(x=mb.read_state(input=state))]


def _slice_kept_across_a_write(state: Any, new: Any) -> list[Any]:
    before = _row(mb.read_state(input=state), 1)
    mb.coreml_update_state(state=state, value=_write_row(mb.read_state(input=state), new, 1))
    return [mb.identity(x=before)]


def _changed_value_used_after_the_next_write(state: Any, new: Any) -> list[Any]:
    changed = _write_row(mb.read_state(input=state), new, 1)
    mb.coreml_update_state(state=state, value=changed)
    mb.coreml_update_state(state=state, value=_write_row(mb.read_state(input=state), mb.add(x=new, y=np.float16(1)), 1))
    return [mb.identity(x=changed)]


def _computed_from_scratch(state: Any, new: Any) -> list[Any]:
    before = mb.read_state(input=state)
    after = mb.coreml_update_state(state=state, value=mb.add(x=before, y=new))
    return [mb.sub(x=after, y=before)]


SCRIPTS = [
    _plain,
    _old_copy_used_after_the_write,
    _changed_copy_never_written,
    _two_changes_then_one_write,
    _first_of_two_changes_used_later,
    _two_readers_one_write,
    _write_between_read_and_write,
    _slice_kept_across_a_write,
    _changed_value_used_after_the_next_write,
    _computed_from_scratch,
]


class Copying:
    """The same words as the builder's, on arrays that are copied at every step: what the ops are defined to do."""

    def __init__(self, content: np.ndarray) -> None:
        self.content = content

    def run(self, script: Script, new: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
        for name in (
            "read_state",
            "coreml_update_state",
            "slice_update",
            "slice_by_index",
            "add",
            "sub",
            "mul",
            "identity",
        ):
            monkeypatch.setattr(mb, name, getattr(self, name))
        results = script(None, new)
        monkeypatch.undo()
        return [np.asarray(item) for item in results]

    def read_state(self, **_: Any) -> np.ndarray:
        return self.content.copy()

    def coreml_update_state(self, *, value: np.ndarray, **_: Any) -> np.ndarray:
        self.content = value.copy()
        return value.copy()

    @staticmethod
    def slice_update(*, x: np.ndarray, update: np.ndarray, begin: list[int], end: list[int]) -> np.ndarray:
        result = x.copy()
        result[tuple(map(slice, begin, end))] = update
        return result

    @staticmethod
    def slice_by_index(*, x: np.ndarray, begin: list[int], end: list[int]) -> np.ndarray:
        return x[tuple(map(slice, begin, end))].copy()

    add, sub, mul = (staticmethod(lambda *, x, y, f=f: f(x, y)) for f in (np.add, np.subtract, np.multiply))
    identity = staticmethod(lambda *, x: x.copy())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__.strip("_"))
def test_states_behave_as_if_copied_at_every_step(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @mb.program(
        input_specs=[mb.StateTensorSpec((3, 3), dtype=types.fp16), mb.TensorSpec((1, 3), dtype=types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def program(state: Any, new: Any) -> Any:
        return tuple(script(state, new))

    save(program, tmp_path / "state.mlpackage")
    opened = Program.open(tmp_path / "state.mlpackage")
    state = opened.new_state()
    content = numbers(3, 3, seed=5).astype(np.float16)
    (held,) = state.values()
    held.copy_(torch.from_numpy(content))
    model = Copying(content)
    for step in range(3):
        new = (NEW + step).astype(np.float16)
        results = opened.predict({"new": new}, state)
        wanted = model.run(script, new, monkeypatch)
        for feature, theirs in zip(opened.outputs, wanted, strict=True):
            np.testing.assert_allclose(results[feature.name], theirs, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(held, model.content, rtol=2e-3, atol=2e-3)
