"""Which files are needed to audit models, by their names."""

from __future__ import annotations

from modelaudit.registry.remote.groups import Needed, file_groups_of


def needed(*names, size=100):
    return {
        name: part
        for group in file_groups_of(dict.fromkeys(names, size))
        for name, part in group.files.items()
    }


def places(*names):
    return [group.place for group in file_groups_of(dict.fromkeys(names, 1))]


def test_a_saved_model_is_one_group_with_all_of_its_files():
    names = (
        "a/saved_model.pb",
        "a/variables/variables.index",
        "a/variables/variables.data-00000-of-00001",
        "a/assets/words.txt",
        "a/assets.extra/sample.bin",
    )
    assert places(*names) == ["a"]
    assert set(needed(*names).values()) == {Needed.WHOLE}


def test_the_url_itself_may_be_a_model():
    assert places("saved_model.pb", "assets/picture.png") == [""]
    assert needed("config.json", "model.weights.h5") == {
        "config.json": Needed.WHOLE,
        "model.weights.h5": Needed.WHOLE,
    }


def test_a_checkpoint_is_one_group():
    names = ("c/m-1.index", "c/m-1.data-00000-of-00001", "c/m-2.index", "c/checkpoint")
    assert places(*names) == ["c/checkpoint", "c/m-1", "c/m-2"]
    assert set(needed(*names).values()) == {Needed.WHOLE}


def test_of_data_only_the_name_is_needed():
    assert needed("d/cat.jpg", "d/noise.wav", "d/table.csv", "d/run.py") == dict.fromkeys(
        ("d/cat.jpg", "d/noise.wav", "d/table.csv", "d/run.py"), Needed.NAME
    )


def test_of_unknown_files_the_first_bytes_are_needed():
    assert needed("model", "weights.bin") == {"model": Needed.HEAD, "weights.bin": Needed.HEAD}


def test_descriptions_beside_models_are_needed_unless_they_are_large():
    names = ("labels.txt", "model.json", "MLmodel", "meta.yaml", "model.sig")
    assert set(needed(*names).values()) == {Needed.WHOLE}
    assert needed("dataset.json", size=1 << 30) == {"dataset.json": Needed.HEAD}


def test_archives_are_needed():
    assert needed("model.tar.gz", "m.zip") == {"model.tar.gz": Needed.WHOLE, "m.zip": Needed.WHOLE}
