"""The user's probe data: read as stored, checked, and never changed silently."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelaudit.errors import UsageError
from modelaudit.probe.study.user_data import load_probe_data

SHAPE = (None, 6, 8, 3)
RNG = np.random.default_rng(0)


def picture(path: Path, size: tuple[int, int] = (8, 6), mode: str = "RGB", **save: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **save)


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_arrays_are_used_as_stored(tmp_path: Path) -> None:
    x = RNG.normal(size=(5, 6, 8, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    data = load_probe_data(tmp_path / "x.npy", SHAPE)
    np.testing.assert_array_equal(data.x, x)
    assert data.y is None
    assert data.value_range == (float(x.min()), float(x.max()))
    np.save(tmp_path / "f.npy", np.asfortranarray(x))
    np.testing.assert_array_equal(load_probe_data(tmp_path / "f.npy", SHAPE).x, x)


def test_labels_come_with_npz(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)
    data = load_probe_data(npz(tmp_path / "a.npz", x=x, y=np.array([0, 1, 1, 0])), SHAPE)
    assert data.x.dtype == np.uint8
    assert data.y is not None
    assert data.y.tolist() == [0, 1, 1, 0]
    words = npz(tmp_path / "b.npz", x=x, y=np.array(["dog", "cat", "dog", "cat"]))
    data = load_probe_data(words, SHAPE)
    assert data.labels == ("cat", "dog")
    assert data.y is not None
    assert data.y.tolist() == [1, 0, 1, 0]
    np.savez_compressed(tmp_path / "c.npz", x=x)
    np.testing.assert_array_equal(load_probe_data(tmp_path / "c.npz", SHAPE).x, x)


def test_a_missing_channel_axis_is_added_and_noted(tmp_path: Path) -> None:
    data = load_probe_data(npz(tmp_path / "a.npz", x=np.zeros((2, 6, 8))), (None, 6, 8, 1))
    assert data.x.shape == (2, 6, 8, 1)
    assert "channel" in data.notes[0]


def test_many_samples_are_thinned_evenly(tmp_path: Path) -> None:
    x = np.arange(100.0).reshape(100, 1)
    path = npz(tmp_path / "a.npz", x=x, y=np.arange(100))
    data = load_probe_data(path, (None, 1), max_images=4)
    assert data.x.ravel().tolist() == [0, 33, 66, 99]
    assert data.y is not None
    assert data.y.tolist() == [0, 33, 66, 99]
    assert "4 of 100" in data.notes[0]


def bomb(path: Path) -> Path:
    """An archive whose header declares a tebibyte."""
    header = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (1 << 38,)}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    return path


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"z": np.zeros(3)}, "no array x"),
        ({"x": np.zeros((2, 5, 8, 3))}, "never resized"),
        ({"x": np.zeros((2, 6, 8))}, "shape"),
        ({"x": np.zeros((0, 6, 8, 3))}, "no samples"),
        ({"x": np.full((1, 6, 8, 3), np.nan)}, "NaN"),
        ({"x": np.zeros((2, 6, 8, 3)), "y": np.zeros(3)}, "2 samples"),
        ({"x": np.full((2, 6, 8, 3), "a")}, "not numbers"),
        ({"x": np.full((2, 6, 8, 3), None)}, "object"),
    ],
)
def test_arrays_that_do_not_fit_are_reported(
    tmp_path: Path, content: dict[str, np.ndarray], word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        load_probe_data(npz(tmp_path / "a.npz", **content), SHAPE)


def test_hostile_files_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bytes"):
        load_probe_data(bomb(tmp_path / "bomb.npz"), SHAPE)
    np.save(tmp_path / "short.npy", np.zeros((2, 6, 8, 3)))
    whole = (tmp_path / "short.npy").read_bytes()
    for cut in (3, 20, len(whole) - 1):
        (tmp_path / "short.npy").write_bytes(whole[:cut])
        with pytest.raises(UsageError):
            load_probe_data(tmp_path / "short.npy", SHAPE)
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 nothing")
    for name in ("no.npz", "absent.npy"):
        with pytest.raises(UsageError):
            load_probe_data(tmp_path / name, SHAPE)


def test_images_keep_their_pixels(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.bmp")
    (tmp_path / "readme.txt").write_text("no image")
    data = load_probe_data(tmp_path, SHAPE)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_allclose(data.x[0] * 255, np.asarray(image), atol=1e-3)
    assert data.x.shape == (2, 6, 8, 3)
    assert data.value_range == (0.0, 1.0)
    wide = load_probe_data(tmp_path, SHAPE, pixels=((-1.0, 1.0),))
    np.testing.assert_allclose(wide.x, data.x * 2 - 1, atol=1e-6)
    assert any("-1…1" in note for note in wide.notes)
    ends = ((0.0, 1.0), (-1.0, 1.0), (1.0, 0.0))
    each = load_probe_data(tmp_path, SHAPE, pixels=ends)
    np.testing.assert_allclose(each.x, data.x * [1, 2, -1] + [0, -1, 1], atol=1e-6)
    grey = load_probe_data(tmp_path, (None, 6, 8, 1), pixels=ends)
    assert (grey.value_range, each.value_range) == ((-1.0, 1.0), (-1.0, 1.0))
    first = load_probe_data(tmp_path, (None, 3, 6, 8))
    np.testing.assert_array_equal(first.x, data.x.transpose(0, 3, 1, 2))


def test_class_folders_are_labels(tmp_path: Path) -> None:
    for name in ("zebra/1.png", "zebra/2.png", "ant/1.png", "ant/2.png", "ant/3.png"):
        picture(tmp_path / name)
    picture(tmp_path / "stray.png")
    (tmp_path / "empty").mkdir()
    data = load_probe_data(tmp_path, SHAPE, max_images=4)
    assert data.labels == ("ant", "zebra")
    assert data.y is not None
    assert data.y.tolist() == [0, 0, 1, 1]
    spoken = " ".join(data.notes)
    assert "4 of 5 images" in spoken
    assert "were skipped" in spoken


def test_class_folders_are_numbered_as_the_names_beside_the_model_say(tmp_path: Path) -> None:
    for name in ("zebra/1.png", "ant/1.png"):
        picture(tmp_path / name)
    data = load_probe_data(tmp_path, SHAPE, classes=("zebra", "bee", "ant"))
    assert data.y is not None
    assert data.y.tolist() == [2, 0]  # the images come in the order of the folders' names
    assert data.labels == ("zebra", "bee", "ant")
    assert any(
        "as the class names beside the model say: ant = 2, zebra = 0" in n for n in data.notes
    )


@pytest.mark.parametrize("classes", [(), ("zebra", "bee"), ("zebra", "ant", "ant")])
def test_other_names_beside_the_model_number_nothing(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    for name in ("zebra/1.png", "ant/1.png"):
        picture(tmp_path / name)
    data = load_probe_data(tmp_path, SHAPE, classes=classes)
    assert data.y is not None
    assert data.y.tolist() == [0, 1]
    assert any("in alphabetical order: ant = 0, zebra = 1" in note for note in data.notes)


def test_text_labels_are_numbered_like_class_folders(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.zeros((3, 6, 8, 3)), y=np.array(["b", "a", "b"]))
    as_named, plain = (load_probe_data(path, SHAPE, classes=each) for each in (("b", "a"), ()))
    assert as_named.y is not None
    assert plain.y is not None
    assert (as_named.y.tolist(), plain.y.tolist()) == ([0, 1, 0], [1, 0, 1])


def test_more_class_folders_than_images_to_read(tmp_path: Path) -> None:
    for i in range(7):
        picture(tmp_path / f"class{i}" / "a.png")
        picture(tmp_path / f"class{i}" / "b.png")
    data = load_probe_data(tmp_path, SHAPE, max_images=4)
    assert len(data.x) == 4
    assert data.y is not None
    assert data.y.tolist() == [0, 2, 4, 6]
    assert len(data.labels) == 7
    assert "4 of 14 images, the first 1 of 4 of 7 folders, evenly spaced, by name" in data.notes


def test_sizes_are_never_changed_silently(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(16, 12))
    with pytest.raises(UsageError, match=r"12 x 16 pixels.*6 x 8.*add --resize"):
        load_probe_data(tmp_path, SHAPE)
    data = load_probe_data(tmp_path, SHAPE, resize=True)
    assert data.x.shape == (1, 6, 8, 3)
    assert any("were resized" in note for note in data.notes)
    open_size = load_probe_data(tmp_path, (None, None, None, 3))
    assert open_size.x.shape == (1, 12, 16, 3)
    picture(tmp_path / "b.png", size=(8, 6))
    with pytest.raises(UsageError, match="different sizes"):
        load_probe_data(tmp_path, (None, None, None, 3))


def test_conversions_are_noted(tmp_path: Path) -> None:
    picture(tmp_path / "grey.png", mode="L")
    picture(tmp_path / "colour.png")
    data = load_probe_data(tmp_path, SHAPE)
    assert "1 images of mode L were converted to RGB" in data.notes
    grey = load_probe_data(tmp_path, (None, 6, 8, 1))
    assert grey.x.shape == (2, 6, 8, 1)
    assert "1 images of mode RGB were converted to L" in grey.notes


def test_exif_orientation_is_noted_and_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be displayed rotated by 90 degrees
    picture(tmp_path / "a.jpg", exif=exif)
    data = load_probe_data(tmp_path, SHAPE)
    assert data.x.shape == (1, 6, 8, 3)
    assert any("EXIF" in note for note in data.notes)


def test_images_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no images"):
        load_probe_data(tmp_path, SHAPE)
    with pytest.raises(UsageError, match=r"pass a \.npy"):
        load_probe_data(tmp_path, (None, 5))
    with pytest.raises(UsageError, match="1, 3 or 4 channels"):
        load_probe_data(tmp_path, (None, 6, 8, 7))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    with pytest.raises(UsageError, match="not a readable image"):
        load_probe_data(tmp_path, SHAPE)
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "bad.png")
    with pytest.raises(UsageError, match="8 bits"):
        load_probe_data(tmp_path, SHAPE)
    Image.new("1", (9000, 9000)).save(tmp_path / "bad.png")
    with pytest.raises(UsageError, match="too many"):
        load_probe_data(tmp_path, SHAPE)
