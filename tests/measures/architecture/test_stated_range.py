"""What a preset's image converter makes of pixels, by KerasHub's formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Artifact, Format
from modelaudit.measures.architecture.stated_range import stated_range

IMAGES = Port("images", "float32", (None, 32, 32, 3))


def preset(converter, **changes) -> Artifact:
    extra = {"preset": {"class": "DenseNetBackbone", "converter": converter, **changes}}
    return Artifact(Path("preset"), Format.KERASHUB_PRESET, extra=extra)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (None, None),
        (1 / 255, None),
        (1 / 127.5, -1),
        ([1 / 58.395, 1 / 57.12, 1 / 57.375], [-2.1179, -2.0357, -1.8044]),
        (1 / 255, [-0.485, -0.456, -0.406]),
        (-1, 255),
    ],
)
def test_zero_and_255_become_what_the_converter_makes_of_them(scale, offset):
    said = stated_range(preset({"scale": scale, "offset": offset}), IMAGES)
    black, white = (
        np.broadcast_to(
            pixel * np.asarray(1 if scale is None else scale)
            + np.asarray(0 if offset is None else offset),
            np.broadcast_shapes(np.shape(scale or 1), np.shape(offset or 0)),
        )
        for pixel in (0.0, 255.0)
    )
    pairs = np.stack([np.ravel(black), np.ravel(white)], axis=1)
    np.testing.assert_allclose(said.pixels, pairs, atol=1e-12)
    assert (said.low, said.high) == (pytest.approx(pairs.min()), pytest.approx(pairs.max()))


@pytest.mark.parametrize(
    "converter",
    [
        None,
        "text",
        {"scale": "large"},
        {"scale": [1.0, "2"]},
        {"scale": []},
        {"scale": [1.0, 2.0], "offset": [0.0, 0.0, 0.0]},
        {"scale": 0.0},
        {"scale": 1e308},
        {"scale": True},
        {"offset": float("nan")},
        {"scale": 10**400},
    ],
)
def test_a_config_that_says_no_range_states_none(converter):
    assert stated_range(preset(converter), IMAGES) is None


def test_only_images_have_pixels():
    assert stated_range(preset({"scale": 1 / 255}), Port("x", "float32", (None, 9))) is None
    assert stated_range(Artifact(Path("m"), Format.KERAS_ARCHIVE), IMAGES) is None
