"""`list`, `inspect` and `--version`: what they tell is true, and what they cannot show is refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from export.listing import sizes
from export.recipes import WEIGHTS, make_recipe
from export.space import stored_bytes
from models.config import FalconConfig
from runtime.bundle import Bundle
from tests.conftest import Bundles, Checkpoints
from tests.export.program import Run
from tests.tools import copy_bundle


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    script = f"unset PYTHONUNBUFFERED; {sys.executable} -m export list > /dev/full"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: The disk is full; free some space and try again to go on.\n"


class TestListings:
    def test_list_names_the_models(self, run: Run) -> None:
        code, out, err = run("list")
        assert (code, err) == (0, "")
        names = [line.split()[0] for line in out.splitlines() if line]
        assert {"falcon-tiny-instruct", "falcon-7b-instruct", "falcon-40b", "falcon-180b", "falcon-11b"} <= set(names)
        assert max(map(len, out.splitlines()[:-1])) <= 100  # a terminal's width, or little more

    def test_list_as_json_says_the_same(self, run: Run) -> None:
        table = json.loads(run("list", "--json")[1])
        lines = run("list")[1].splitlines()
        assert list(table) == [line.split()[0] for line in lines[1 : lines.index("")]]
        assert table["falcon-7b-instruct"]["hub"] == "tiiuae/falcon-7b-instruct"

    def test_list_says_what_a_model_takes(self, run: Run) -> None:
        table = json.loads(run("list", "--json")[1])
        for name, about in table.items():
            assert set(about["sizes"]) == set(WEIGHTS)
            assert all(takes["bundle_bytes"] < takes["memory_bytes"] for takes in about["sizes"].values()), name
        seven = table["falcon-7b-instruct"]
        # The Hub's index of falcon-7b counts 14,434,379,520 bytes; a bundle of its shape was seen to take 3.617 GB.
        assert seven["download_bytes"] == pytest.approx(14_434_379_520, rel=1e-3)
        assert seven["sizes"]["lut4"]["bundle_bytes"] == pytest.approx(3.617e9, rel=3e-3)
        assert "14.4 GB   3.61 GB" in run("list")[1]

    def test_what_is_listed_for_a_model_is_what_its_export_takes(self, checkpoints: Checkpoints) -> None:
        config = FalconConfig.open(checkpoints("7b"))
        for weights in WEIGHTS:
            exact = stored_bytes(config, make_recipe(config, weights=weights))[1]
            assert sizes(config, weights).bundle == pytest.approx(exact, rel=0.03), weights  # vectors weigh more here

    def test_version_names_the_tools(self, run: Run) -> None:
        code, out, _ = run("--version")
        assert code == 0
        assert f"torch {torch.__version__}" in out
        assert out.count("\n") == 1

    def test_inspect_as_json_gives_true_figures(self, run: Run, bundles: Bundles) -> None:
        folder = bundles("7b", "lut4")
        code, out, err = run("inspect", folder, "--json")
        report = json.loads(out)
        assert (code, err) == (0, "")
        files = [p for p in folder.rglob("*") if p.is_file() and p != folder / "manifest.json"]
        assert report["bytes"] == sum(p.stat().st_size for p in files)
        assert (report["context_length"], report["vocab_size"]) == (64, 320)
        # 7b: hidden 96, two layers; 4 bits an index and 16 half-precision entries for each 32 rows.
        up = report["weights"]["mlp.dense_h_to_4h"]
        assert up == {
            "tensors": 2,
            "weights": 2 * 384 * 96,
            "bytes": 2 * (384 * 96 // 2 + 12 * 32),
            "formats": ["lut4"],
        }
        embedding = report["weights"]["embedding"]
        assert embedding == {"tensors": 1, "weights": 320 * 96, "bytes": 320 * 96 + 10 * 512, "formats": ["lut8"]}
        assert report["weights"]["norms and biases"]["formats"] == ["fp16"]
        assert "head" not in report["weights"], "it is tied"

    def test_inspect_tells_people_the_same(self, run: Run, bundles: Bundles) -> None:
        folder = bundles("11b", "lut4")
        code, out, _ = run("inspect", folder)
        assert code == 0
        parity = Bundle.open(folder).manifest.parity
        assert f"{parity['top1_agreement']:.1%}" in out
        assert f"mean KL {parity['mean_kl']:.4f}" in out
        assert any(line.split()[:2] == ["head", "lut8"] for line in out.splitlines())

    def test_inspect_of_an_unverified_bundle_says_so(self, run: Run, checkpoints: Checkpoints, output: Path) -> None:
        run(checkpoints("7b-biased"), "--output", output, "--no-verify", "--weights", "fp16")
        assert "not verified" in run("inspect", output)[1]

    def test_the_page_of_inspect_is_a_file_whose_name_the_user_gave(
        self, run: Run, bundles: Bundles, tmp_path: Path
    ) -> None:
        (tmp_path / "pages").mkdir()
        said = run.refused("inspect", bundles("7b", "lut4"), "--html", tmp_path / "pages")
        assert f"--html {tmp_path / 'pages'} is a folder; name the file to write, as {tmp_path / 'pages'}/" in said
        said = run.refused("inspect", bundles("7b", "lut4"), "--html", tmp_path / "nowhere" / "page.html")
        assert f"({tmp_path / 'nowhere' / 'page.html'})" in said
        assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "pages"]
        assert list((tmp_path / "pages").iterdir()) == []

    def test_the_embedded_model_has_its_name_here_too(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "file" / "below"))  # which spares the export itself
        assert "set FALCONET_CACHE" in run.refused("inspect", "falcon-tiny-instruct")

    def test_inspect_of_figures_that_are_none_names_the_manifest(
        self, run: Run, bundles: Bundles, tmp_path: Path
    ) -> None:
        copy = copy_bundle(bundles("7b", "lut4"), tmp_path / "copy")
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["parity"]["mean_kl"] = "small"
        (copy / "manifest.json").write_text(json.dumps(manifest))
        assert f"{copy / 'manifest.json'} has figures that cannot be shown" in run.refused("inspect", copy)
        assert json.loads(run("inspect", copy, "--json")[1])["parity"]["mean_kl"] == "small"

    def test_inspect_shows_a_bundle_whose_maker_counted_no_ops(
        self, run: Run, bundles: Bundles, tmp_path: Path
    ) -> None:
        copy = copy_bundle(bundles("7b", "lut4"), tmp_path / "copy")
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["parity"] = {}
        (copy / "manifest.json").write_text(json.dumps(manifest))
        out = run("inspect", copy)[1]
        assert out.splitlines()[-1] == "  not verified"

    def test_inspect_refuses_what_is_no_bundle_or_damaged(self, run: Run, bundles: Bundles, tmp_path: Path) -> None:
        assert "is not a bundle" in run.refused("inspect", tmp_path)
        copy = copy_bundle(bundles("7b", "lut4"), tmp_path / "copy")
        (copy / "config.json").write_text("{}")
        assert "config.json is damaged" in run.refused("inspect", copy)
