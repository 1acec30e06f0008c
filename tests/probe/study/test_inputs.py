"""Synthetic inputs: their statistics by closed form, their ranges by the saved config."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Architecture, Artifact, Format, Layer
from modelaudit.probe.study import inputs
from modelaudit.probe.study import synthetic as textures
from modelaudit.probe.study.inputs import InputSpec, ProbeData, Unprobeable, input_spec, synthetic


def made(spec: InputSpec, n: int = 12, seed: int = 1) -> ProbeData:
    data = synthetic(spec, n, seed)
    assert isinstance(data, ProbeData)
    return data


def chain(*layers: Layer) -> Architecture:
    return Architecture("Functional", "m", "keras3", layers, (layers[0].route,), ())


def layer(name: str, class_name: str, before: str = "", **config: object) -> Layer:
    inbound = ((before,),) if before else ()
    return Layer(name, name, class_name, config=config, inbound=inbound)


def holding(architecture: Architecture | None) -> Artifact:
    return Artifact(Path("m.keras"), Format.KERAS_ARCHIVE, architecture=architecture)


def told(architecture: Architecture | None, dtype: str = "float32") -> InputSpec:
    spec = input_spec(Port("image", dtype, (None, 8, 8, 3)), holding(architecture))
    assert isinstance(spec, InputSpec)
    return spec


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=0, max_size=4),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["float32", "float64", "bfloat16", "uint8", "bool"]),
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]),
)
def test_any_shape_gets_inputs_in_range(
    inner: list[int], n: int, seed: int, dtype: str, bounds: tuple[float, float]
) -> None:
    bounds = (0.0, 255.0) if dtype == "uint8" else bounds
    data = made(InputSpec("x", (None, *inner), dtype, bounds), n, seed)
    assert data.x.shape == (n, *inner)
    assert len(data.kinds) == n
    assert data.x.flags.c_contiguous
    low, high = data.value_range
    assert np.isfinite(data.x.astype("f8")).all()
    assert low <= data.x.min()
    assert data.x.max() <= high


def test_one_seed_gives_one_set() -> None:
    spec = InputSpec("x", (None, 16, 16, 3), "float32")
    np.testing.assert_array_equal(made(spec, seed=7).x, made(spec, seed=7).x)
    assert np.abs(made(spec, seed=7).x - made(spec, seed=8).x).max() > 0.1


def test_every_kind_is_equally_frequent() -> None:
    kinds = made(InputSpec("x", (None, 16, 16, 1), "float32"), n=60).kinds
    assert {kind: kinds.count(kind) for kind in kinds} == {
        kind.__name__: 10 for kind in textures.IMAGES
    }


def test_samples_differ_from_each_other() -> None:
    x = made(InputSpec("x", (None, 16, 16, 1), "float32"), n=30).x.reshape(30, -1)
    distances = np.abs(x[:, None] - x[None]).mean(axis=-1)
    assert distances[~np.eye(30, dtype=bool)].min() > 0.01


def test_channels_first_and_unknown_sizes() -> None:
    first = made(InputSpec("x", (None, 3, 16, 20), "float32"))
    assert first.x.shape == (12, 3, 16, 20)
    data = made(InputSpec("x", (None, None, None, 3), "float32"))
    assert data.x.shape == (12, 64, 64, 3)
    assert data.notes == ("undefined axis 1 set to 64", "undefined axis 2 set to 64")
    assert made(InputSpec("x", (None, None, 5), "float32")).x.shape == (12, 32, 5)
    assert made(InputSpec("x", (None, None, None, None, 2), "float32")).x.shape[1:] == (16,) * 3 + (
        2,
    )


def test_integers_stay_below_the_vocabulary() -> None:
    data = made(InputSpec("x", (None, 50), "int32", vocabulary=7), n=40)
    assert data.x.dtype == np.int32
    assert set(np.unique(data.x)) == set(range(7))
    floats = made(InputSpec("x", (None, 50), "float32", vocabulary=7), n=40)
    assert set(np.unique(floats.x)) == set(range(7))
    unknown = made(InputSpec("x", (None, 50), "int64"))
    assert set(np.unique(unknown.x)) == {0, 1}
    assert any("vocabulary size" in note for note in unknown.notes)


def test_unsupported_inputs_have_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for port, word in (
        (Port("t", "string", (None, 1)), "text"),
        (Port("t", "float32", None), "rank"),
        (Port("t", "float32", ()), "one number"),
        (Port("t", "complex64", (None, 2)), "complex64"),
    ):
        spec = input_spec(port, holding(None))
        assert isinstance(spec, Unprobeable)
        assert word in spec.reason
    for shape, word in (((None, 0), "empty"), ((None, 1 << 20, 1 << 20), "bytes")):
        data = synthetic(InputSpec("x", shape, "float32"), 4, 0)
        assert isinstance(data, Unprobeable)
        assert word in data.reason
    monkeypatch.setattr(inputs, "MAX_BYTES", 1 << 20)
    few = made(InputSpec("x", (None, 1 << 13), "float32"), n=64)
    assert len(few.x) == 16
    assert any("only 16" in note for note in few.notes)


IMAGE = layer("image", "InputLayer")


@pytest.mark.parametrize(
    ("layers", "bounds"),
    [
        ([layer("r", "Rescaling", "image", scale=1 / 255, offset=0.0)], (0, 255)),
        ([layer("r", "Rescaling", "image", scale=1 / 127.5, offset=-1)], (0, 255)),
        ([layer("r", "Rescaling", "image", scale=2.0, offset=-1.0)], (0, 1)),
        (
            [
                layer("flip", "RandomFlip", "image"),
                layer("r", "Rescaling", "flip", scale=1 / 255, offset=0),
            ],
            (0, 255),
        ),
        ([layer("n", "Normalization", "image", mean=[[2.0, 4.0]], variance=[4.0, 4.0])], (-1, 7)),
        ([layer("r", "Rescaling", "image", scale="odd")], (0, 1)),
        (
            [
                layer("conv", "Conv2D", "image"),
                layer("r", "Rescaling", "conv", scale=1 / 255, offset=0),
            ],
            (0, 1),
        ),
    ],
)
def test_preprocessing_layers_determine_the_range(
    layers: list[Layer], bounds: tuple[float, float]
) -> None:
    spec = told(chain(IMAGE, *layers))
    assert spec.value_range == pytest.approx(bounds, abs=1e-3)
    assert spec.notes


def test_other_sources_of_the_range() -> None:
    assert told(None).value_range == (0.0, 1.0)
    assert "assumed" in told(None).notes[0]
    assert told(None, "uint8").value_range == (0.0, 255.0)
    inside = layer("trunk/r", "Rescaling", "trunk/in", scale=1 / 255, offset=0)
    trunk = Layer("trunk", "trunk", "Functional", inbound=(("image",),), is_model=True)
    nested = chain(IMAGE, trunk, layer("trunk/in", "InputLayer"), inside)
    assert told(nested).value_range == (0.0, 255.0)
    words = chain(IMAGE, layer("e", "Embedding", "image", input_dim=30))
    assert told(words).vocabulary == 30


def radial_slope(images: np.ndarray) -> float:
    """Exponent of the amplitude spectrum over frequency, by a log-log fit."""
    size = images.shape[1]
    amplitude = np.sqrt((np.abs(np.fft.fft2(images[..., 0])) ** 2).mean(axis=0))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    use = (frequency > 1.5 / size) & (frequency < 0.4)
    return float(np.polyfit(np.log(frequency[use]), np.log(amplitude[use]), 1)[0])


def test_spectra_match_the_literature() -> None:
    rng = np.random.default_rng(3)
    assert radial_slope(textures.uniform(rng, 20, (64, 64), 1)) == pytest.approx(0, abs=0.05)
    assert radial_slope(textures.pink(rng, 20, (64, 64), 1)) == pytest.approx(-1, abs=0.12)
    # Dead leaves: amplitude falls about as 1/f too, a little steeper for sharp edges.
    assert -1.8 < radial_slope(textures.leaves(rng, 20, (64, 64), 1)) < -0.9


def test_kinds_have_no_preferred_side() -> None:
    """The mean image is flat: no kind prefers left or right, or up or down."""
    rng = np.random.default_rng(4)
    for kind in textures.IMAGES:
        mean = kind(rng, 400, (12, 12), 1).mean(axis=0)[..., 0]
        for halves in (
            (mean[:, :6].mean(), mean[:, 6:].mean()),
            (mean[:6].mean(), mean[6:].mean()),
        ):
            assert halves[0] == pytest.approx(halves[1], abs=0.03), kind.__name__


def test_dead_leaves_cover_the_image_and_follow_the_radius_law() -> None:
    rng = np.random.default_rng(5)
    low, high = 1 / 32, 1 / 2
    share = rng.random(200_000)
    radii = 1 / np.sqrt((1 - share) / low**2 + share / high**2)
    # The cumulative distribution of r^-3 on [low, high], in closed form.
    for r in (0.05, 0.1, 0.2):
        expected = (low**-2 - r**-2) / (low**-2 - high**-2)
        assert (radii < r).mean() == pytest.approx(expected, abs=0.005)
    image = textures.leaves(np.random.default_rng(6), 1, (64, 64), 3)[0]
    colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    assert len(colours) > 30
    assert counts.max() < image.shape[0] ** 2 * 0.7


def test_sequences_are_autocorrelated() -> None:
    rng = np.random.default_rng(8)
    walk = textures.walks(rng, 50, (64,), 2)
    noise = textures.uniform(rng, 50, (64,), 2)
    wave = textures.sinusoids(rng, 50, (64,), 2)

    def roughness(x: np.ndarray) -> float:
        return float(np.square(np.diff(x, axis=1)).mean() / x.var(axis=1).mean())

    assert roughness(noise) == pytest.approx(2, abs=0.2)
    assert roughness(walk) < 0.3
    assert wave.min() >= 0
    assert wave.max() <= 1


@pytest.mark.parametrize(
    ("name", "shape", "bounds", "pictures"),
    [
        ("image", (None, 16, 16, 3), (0, 1), True),
        ("mel", (None, 16, 16, 1), (-1, 1), False),
        ("x", (None, 13), (-2, 2), False),
        ("sensor", (None, 20, 3), (-2, 2), False),
        ("x", (None, 784), (0, 1), False),  # perhaps a flattened image
    ],
)
def test_the_kind_of_data_determines_the_inputs(name, shape, bounds, pictures) -> None:
    spec = input_spec(Port(name, "float32", shape), holding(None))
    assert isinstance(spec, InputSpec)
    assert spec.value_range == bounds
    assert ("strokes" in made(spec, 30).kinds) is pictures
