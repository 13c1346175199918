"""A process of one's own imports what its parent can, and no namesake of the standard library's or of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.bundles import talker

ROOT = Path(__file__).parents[2]
_BEGIN = "import json, queue, re, subprocess, sys  # Python's own, before the folder of the script comes first\n"


def run(folder: Path, code: str) -> str:
    """What a script in `folder` prints that imports from there first, as scripts do."""
    script = folder / "script.py"
    places = f"sys.path[:0] = [{str(folder)!r}]\nsys.path.append({str(ROOT)!r})\n"
    script.write_text(_BEGIN + places + code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder, with namesakes of two of Python's modules, and of one that is installed."""
    for name in ("re", "queue", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'{__file__} is not what was meant')", encoding="utf-8")
    return tmp_path


def test_a_module_beside_the_script_is_found_but_no_namesake(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "import json, queue, re, sys\nimport numpy, runtime.launch\n"
        "print(json.dumps([sys.argv[1:], re.__file__, queue.__file__, runtime.launch.__file__]))\n",
        encoding="utf-8",
    )
    code = "from runtime import module_command\nsubprocess.run(module_command('mine', '--run-module', 'x'), check=True)"
    given, re_file, queue_file, launch = json.loads(run(folder, code))
    assert given == ["--run-module", "x"]
    assert (Path(re_file).name, Path(queue_file).name) == ("__init__.py", "queue.py")
    assert not any(Path(file).is_relative_to(folder) for file in (re_file, queue_file))
    assert Path(launch).samefile(ROOT / "runtime" / "launch.py")


def test_a_models_beside_the_script_is_told_as_what_hides_ours(tmp_path: Path) -> None:
    code = "try:\n    from runtime import LocalEngine\nexcept ImportError as error:\n    print(error)\n"
    (tmp_path / "models.py").touch()
    hides = f"Falconet's package `models` is hidden by {tmp_path / 'models.py'}; rename that.\n"
    assert run(tmp_path, code) == hides


def test_an_engine_in_its_own_process_answers_a_script_that_has_namesakes_beside_it(folder: Path) -> None:
    code = (
        "from runtime import GenerationOptions, ProcessEngine\n"
        f"with ProcessEngine.open({str(talker())!r}, backend='torch') as engine:\n"
        "    print(list(engine.complete('A', GenerationOptions(max_new_tokens=1)))[-1].reason)\n"
    )
    assert run(folder, code) == "length\n"


def test_the_doctor_probes_for_a_script_that_has_namesakes_beside_it(folder: Path) -> None:
    (folder / "mine.py").write_text("def opener(bundle):\n    raise ValueError('opened')\n", encoding="utf-8")
    code = (
        "from runtime.doctor.plan import Job\nfrom runtime.doctor.runner import Limits, run\n"
        f"job = Job(folder={str(talker())!r}, opener='mine:opener', feeds=(), scores='scores')\n"
        "print(run(job, Limits(), print).reason)\n"
    )
    assert run(folder, code).splitlines()[-1] == "ValueError: opened"
