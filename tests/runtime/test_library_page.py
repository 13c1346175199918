"""docs/library.md: its examples run, in order, and it names what the library exports."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import runtime
from runtime import LocalEngine
from runtime.embedded import embedded_bundle
from runtime.errors import BackendUnavailableError
from tests.runtime.openai_server import OpenAIServer, serving

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_example_runs_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("llguidance", reason="llguidance is not installed (extra `grammar`)")
    try:
        bundle = embedded_bundle(io.StringIO())
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    assert len(EXAMPLES) >= 6
    with LocalEngine.open(bundle) as served, OpenAIServer(serving(served)) as server:
        names: dict[str, object] = {"BUNDLE": bundle, "SERVICE": f"{server.url}/v1"}
        for number, example in enumerate(EXAMPLES):
            exec(compile(example, f"docs/library.md, example {number + 1}", "exec"), names)
    assert "cold" in capsys.readouterr().out


def test_every_public_name_is_described() -> None:
    table = PAGE[PAGE.index("## Names") :]
    described = set(re.findall(r"`(\w+)`", table))
    assert set(runtime.__all__) - described == set()
