"""Engines that keep conversations on disk: what one has saved, another goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.chat import Message
from runtime.engines.base import BundleEngine
from runtime.engines.local import LocalEngine
from runtime.errors import OptionError, SessionFileError
from tests.runtime.bundles import talker
from tests.runtime.test_engines_contract import GREEDY, finish, opened, text_of


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    with LocalEngine.open(talker(), backend="torch") as engine:
        yield engine


@pytest.fixture(scope="module", params=["local", "process"])
def keeper(request: pytest.FixtureRequest, local: LocalEngine) -> Iterator[BundleEngine]:
    for engine in opened(request.param, local):
        assert isinstance(engine, BundleEngine)
        yield engine


def test_a_session_saved_by_one_engine_goes_on_in_another(
    keeper: BundleEngine, local: LocalEngine, tmp_path: Path
) -> None:
    with LocalEngine.open(talker(), backend="torch") as fresh:
        for writer, reader in ((keeper, fresh), (local, keeper)):
            text = f"{type(writer).__name__} reads this once and {type(reader).__name__} goes on"
            answer = writer.complete(text, replace(GREEDY, max_new_tokens=None))
            said = [next(answer) for _ in range(3)]
            held = writer.save_session(tmp_path / "saved")
            assert (finish(answer).reason, held > 10) == ("cancelled", True)
            assert reader.restore_session(str(tmp_path / "saved")) == held
            went_on = finish(reader.complete(text + text_of(said), GREEDY))
            assert went_on.stats.reused_tokens >= local.count_tokens([Message("user", text)]) // 2
            with LocalEngine.open(talker(), backend="torch") as other:
                assert went_on.text == finish(other.complete(text + text_of(said), GREEDY)).text


def test_what_holds_no_session_is_one_sentence(keeper: BundleEngine, tmp_path: Path) -> None:
    for wrong in (None, 5, b"saved", ["saved"], "sa\0ved", "sa\ud800ved"):
        for use in (keeper.save_session, keeper.restore_session):
            with pytest.raises(OptionError, match="file "):
                use(wrong)  # type: ignore[arg-type]
    with pytest.raises(SessionFileError, match="is a folder"):
        keeper.restore_session(tmp_path)
    with pytest.raises(SessionFileError, match="no such file"):
        keeper.restore_session(tmp_path / "missing")
