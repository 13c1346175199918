"""The pictures of the window: made of the program itself, small, and true to its colours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from desktop.views.tokens import LIGHT
from screenshots.pictures import PICTURES
from screenshots.png import pixels, reduce, save
from screenshots.stage import SIZE
from tests import patience

ROOT = Path(__file__).parents[2]


def test_a_colour_that_covers_much_keeps_its_value_and_others_move_little() -> None:
    rng = np.random.default_rng(0)
    image = np.full((60, 80, 3), (245, 245, 243), np.uint8)
    image[:30] = (255, 255, 255)
    image[10:14] = np.linspace(0, 255, 4 * 80 * 3).reshape(4, 80, 3).astype(np.uint8)
    image[40:50] = rng.integers(0, 256, (10, 80, 1), dtype=np.uint8)
    place, table = reduce(image)
    again = table[place]
    assert len(table) <= 256
    flat = (image == (245, 245, 243)).all(axis=2) | (image == (255, 255, 255)).all(axis=2)
    assert (again[flat] == image[flat]).all()
    assert np.abs(again.astype(int) - image.astype(int)).max() <= 12


def test_a_saved_picture_is_read_back_as_it_was(qapp: QApplication, tmp_path: Path) -> None:
    image = QImage(7, 5, QImage.Format.Format_RGB32)  # rows of 7 bytes are padded to 8
    image.fill(QColor("#0b6e63"))
    image.setPixelColor(6, 4, QColor("#fbe7a8"))
    save(image, tmp_path / "deeper" / "picture.png")
    read = QImage(str(tmp_path / "deeper" / "picture.png"))
    assert (pixels(read) == pixels(image)).all()


def test_every_picture_of_the_docs_is_one_that_can_be_made_again() -> None:
    kept = {file.stem.removeprefix("desktop-") for file in (ROOT / "docs" / "images").glob("desktop-*.png")}
    assert kept == set(PICTURES)


def test_the_first_start_is_pictured_at_two_pixels_to_a_point(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "screenshots", "welcome", "--output", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=patience.SECONDS)
    picture = QImage(str(tmp_path / "desktop-welcome.png"))
    assert picture.size() == SIZE * 2
    shown = {tuple(colour) for colour in pixels(picture).reshape(-1, 3).tolist()}
    wanted = [QColor(colour) for colour in (LIGHT.window, LIGHT.sidebar, LIGHT.accent)]
    assert {(colour.red(), colour.green(), colour.blue()) for colour in wanted} <= shown


def test_a_picture_that_there_is_none_of_is_named() -> None:
    command = [sys.executable, "-m", "screenshots", "nothing-such"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience.SECONDS, check=False)
    assert done.returncode != 0
    assert "there is no picture 'nothing-such'" in done.stderr
