"""The shapes that are known by name are the published ones, and their matrices those of the decoder."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from models.checkpoint import expected_shapes
from models.config import FalconConfig
from models.family import FAMILY, matrix_shapes

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "configs"


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="needs ../shared/data/configs")
@pytest.mark.parametrize("name", FAMILY)
def test_a_shape_is_that_of_the_published_file(name: str) -> None:
    assert FAMILY[name] == FalconConfig.open(CONFIGS / f"falcon-{name}.json")


@pytest.mark.parametrize("name", FAMILY)
def test_matrices_are_those_of_the_decoder(name: str) -> None:
    config = replace(FAMILY[name], num_layers=2)
    decoder = {tensor: shape for tensor, shape in expected_shapes(config).items() if len(shape) == 2}
    assert matrix_shapes(config) == decoder


def test_7b_has_as_many_weights_as_were_published() -> None:
    config = FAMILY["7b"]
    vectors = 2 * config.hidden_size * (config.num_layers + 1)  # a norm a layer and the last one
    assert sum(map(math.prod, matrix_shapes(config).values())) + vectors == 6_921_720_704
