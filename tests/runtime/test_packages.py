"""Without a package, or in a Python that is too old, each command says in one sentence what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runtime import packages
from runtime.__main__ import main
from runtime.packages import PackageMissingError, check_python, install_command, missing_package
from tests import patience

ROOT = Path(__file__).parents[2]
WITHOUT = """
import runpy, sys
sys.modules[sys.argv.pop(1)] = None
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def run_without(package: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("tokenizers", ["export", "no/where"]),
        ("torch", ["export", "falcon-tiny-instruct"]),
        ("coremltools", ["export", "falcon-7b-instruct"]),
        ("tokenizers", ["export.demo"]),
        ("tokenizers", ["runtime", "chat"]),
        ("numpy", ["runtime", "bench"]),
        ("tokenizers", ["runtime", "serve"]),
    ],
)
def test_a_missing_package_is_one_sentence_that_says_how_to_get_it(package: str, command: list[str]) -> None:
    done = run_without(package, *command)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {package} is not installed in {sys.prefix}: ")
    assert done.stderr.endswith(f'`pip install -e "{ROOT}[export]"`.\n')
    assert done.stderr.count("\n") == 1


def test_no_program_begins_with_a_module_that_windows_lacks() -> None:
    code = (
        "import sys; sys.modules |= dict.fromkeys(('fcntl', 'grp', 'pwd', 'readline', 'resource', 'termios', 'tty'))\n"
        "import runtime.cli.chat, runtime.cli.commands, runtime.cli.measuring, runtime.cli.serve\n"
        "import runtime.doctor.checkup, runtime.doctor.probe, runtime.embedded, runtime.engines.worker\n"
        "import runtime.backends.torch, runtime.backends.reference, desktop.__main__, desktop.app, desktop.desk\n"
        "import export.__main__, export.inspection, export.report\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=patience.SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_models_are_listed_without_torch() -> None:
    done = run_without("torch", "export", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "falcon-7b-instruct" in done.stdout


def test_the_command_names_the_source_s_folder_or_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert install_command("cuda") == f'pip install -e "{ROOT}[cuda]"'
    monkeypatch.setattr(packages, "_ROOT", tmp_path)  # as in site-packages
    assert install_command("cuda") == 'pip install "falconet[cuda]"'


def test_an_environment_beside_the_source_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(packages, "_ROOT", tmp_path)
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert f"(`. {tmp_path}/.venv/bin/activate`), or `pip" in str(missing_package(error, "torch"))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        assert f"(`{tmp_path / '.venv' / 'Scripts' / 'activate'}`), or `pip" in str(missing_package(error, "torch"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert "activate" not in str(missing_package(error, "torch"))


def test_a_module_of_our_own_that_is_missing_is_a_fault_and_stays_one() -> None:
    error = ModuleNotFoundError("No module named 'runtime.nowhere'", name="runtime.nowhere")
    with pytest.raises(ModuleNotFoundError) as raised:
        missing_package(error, "export")
    assert raised.value is error


def test_a_python_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_python()
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(PackageMissingError, match=r"needs Python 3\.11 or newer, and this is 3\.9\.18 \("):
        check_python()


def test_a_library_of_windows_that_torch_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        error = OSError(22, "The specified module could not be found")
        error.winerror = 126  # type: ignore[attr-defined,unused-ignore]
        raise error

    monkeypatch.setattr("runtime.cli.measuring.run_measuring", run)
    assert main(["devices"]) == 1
    [sentence] = capfd.readouterr().err.splitlines()
    assert "Visual C++ Redistributable" in sentence
