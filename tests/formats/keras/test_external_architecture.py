"""Weights with the architecture in a separate file."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from modelaudit.audit_sections import architecture_section
from modelaudit.errors import UsageError
from modelaudit.facts import Format, Json
from modelaudit.formats.keras.external_architecture import (
    find_architecture,
    read_architecture,
    with_architecture,
)
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits, Settings
from tests.made import files

LIMITS = Limits()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return files.minimal_h5(tmp_path / "whole.h5")


@pytest.fixture
def weights(whole: Path, tmp_path: Path) -> Path:
    """Only the weights of `whole`, in the layout of Keras 2's `save_weights`."""
    path = tmp_path / "net.weights.h5"
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        for name, group in source["model_weights"].items():
            source.copy(group, target, name)
        target.attrs.update(source["model_weights"].attrs)
    return path


def config(whole: Path) -> dict[str, Json]:
    with h5py.File(whole) as file:
        return json.loads(file.attrs["model_config"])


def test_an_architecture_is_found_next_to_weights(weights: Path, whole: Path) -> None:
    assert find_architecture(read(weights, LIMITS), LIMITS) is None
    weights.with_name("model.json").write_text(json.dumps({"epochs": 3}))
    assert find_architecture(read(weights, LIMITS), LIMITS) is None
    weights.with_name("config.json").write_text(json.dumps(config(whole)))
    found = find_architecture(read(weights, LIMITS), LIMITS)
    assert found is not None
    assert found.file == "config.json"
    weights.with_name("net.json").write_text(json.dumps(config(whole)))
    found = find_architecture(read(weights, LIMITS), LIMITS)
    assert found is not None
    assert found.file == "net.json"  # the file with the same name has priority
    facts = static_facts(weights, Settings())
    assert facts.artifact.extra["architecture_from"] == "net.json"
    assert architecture_section(facts).file == "net.json"


def test_weights_are_bound_to_their_layers(weights: Path, whole: Path) -> None:
    alone, model = read(weights, LIMITS), read(whole, LIMITS)
    assert alone.format is Format.WEIGHTS_H5_LEGACY
    assert alone.architecture is None
    bound = with_architecture(alone, read_architecture(whole, LIMITS), LIMITS)
    assert bound.architecture is not None
    assert model.architecture is not None
    (_, layer), (_, original) = bound.architecture.layers, model.architecture.layers
    names = {role: name.removeprefix("model_weights/") for role, name in original.variables.items()}
    assert layer.variables == names != {}
    assert [kernel.shape for kernel in bound.kernels] == [kernel.shape for kernel in model.kernels]
    assert bound.documents[-1].file == "whole.h5"  # so that its code is checked, too


def test_a_whole_model_keeps_its_own_architecture(whole: Path) -> None:
    model = read(whole, LIMITS)
    assert with_architecture(model, read_architecture(whole, LIMITS), LIMITS) is model


def test_another_architecture_is_detected(weights: Path, whole: Path, tmp_path: Path) -> None:
    other = config(whole)
    other["config"]["layers"][1]["config"]["units"] += 2
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "own.json").write_text(json.dumps(config(whole)))

    def codes(architecture: Path) -> set[str]:
        facts = static_facts(weights, Settings(architecture=str(architecture)))
        return {f.code for each in run_rules(CATALOGUE, facts) for f in each.findings}

    assert codes(tmp_path / "other.json") - codes(tmp_path / "own.json") == {"MA114"}
    assert "MA220" not in codes(whole)  # nobody calls model_from_json with a saved model
    other = config(whole)
    other["config"]["layers"][1]["config"]["name"] = "of_other_weights"
    (tmp_path / "foreign.json").write_text(json.dumps(other))

    def calls(architecture: str) -> set[str]:
        facts = static_facts(weights, Settings(architecture=str(tmp_path / architecture)))
        return {prediction.call for prediction in predict(facts.artifact, ["tf-keras==2.16"])}

    assert calls("own.json") - calls("foreign.json") == {"model_from_json"}


@pytest.mark.parametrize("content", ["{}", "[", "[1]", '{"class_name": 3, "config": {}}', ""])
def test_files_without_an_architecture_are_rejected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"model\.json"):
        read_architecture(path, LIMITS)
    with pytest.raises(UsageError, match="no Keras architecture"):
        (tmp_path / "x.bin").write_bytes(b"\0")
        read_architecture(tmp_path / "x.bin", LIMITS)


@pytest.mark.parametrize("said", [None, "1.0.4"])
def test_the_version_in_the_architecture_counts_where_the_weights_say_none(
    weights: Path, whole: Path, said: str | None
) -> None:
    with h5py.File(weights, "r+") as file:
        file.attrs.pop("keras_version", None)
    written = config(whole) | ({"keras_version": said} if said else {})
    weights.with_name("model.json").write_text(json.dumps(written))
    assert static_facts(weights, Settings()).artifact.provenance.keras == said


def test_an_architecture_that_was_encoded_twice_is_read(weights: Path, whole: Path) -> None:
    """`json.dump(model.to_json(), file)` writes a JSON text of a JSON text."""
    weights.with_name("model.json").write_text(json.dumps(json.dumps(config(whole))))
    found = find_architecture(read(weights, LIMITS), LIMITS)
    assert found is not None
    assert found.value == config(whole)
    weights.with_name("model.json").write_text(json.dumps("some text"))
    assert find_architecture(read(weights, LIMITS), LIMITS) is None


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("model_weights.h5", "model_architecture.json"),
        ("weights2.h5", "model2.json"),
        ("net.weights.h5", "net_architecture.json"),
    ],
)
def test_a_file_of_a_likely_name_is_read_if_its_layers_are_those(
    weights: Path, whole: Path, name: str, beside: str, same: bool
) -> None:
    weights, written = weights.rename(weights.with_name(name)), config(whole)
    if not same:
        written["config"]["layers"][1]["config"]["units"] += 2
    weights.with_name(beside).write_text(json.dumps(written))
    found = find_architecture(read(weights, LIMITS), LIMITS)
    assert (found is not None and found.file == beside) is same


@pytest.mark.parametrize(
    ("name", "beside"), [("net.weights.h5", "net.h5"), ("weights.h5", "model.h5")]
)
def test_a_saved_model_beside_weights_is_not_their_architecture(
    weights: Path, whole: Path, name: str, beside: str
) -> None:
    """An earlier version of the same shapes may have other activations."""
    weights = weights.rename(weights.with_name(name))
    whole.rename(weights.with_name(beside))
    assert find_architecture(read(weights, LIMITS), LIMITS) is None


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("model_weights_delta.h5", "model_delta.json"),
        ("model-weights-delta.h5", "model-delta.json"),
        ("weights_delta.h5", "delta.json"),
    ],
)
def test_a_file_named_like_the_weights_goes_before_a_common_name(
    weights: Path, whole: Path, name: str, beside: str
) -> None:
    """Several models can be in one directory, and `model.json` is of one of them."""
    weights, other = weights.rename(weights.with_name(name)), config(whole)
    other["config"]["layers"][1]["config"]["name"] = "of_another_model"
    weights.with_name("model.json").write_text(json.dumps(other))
    weights.with_name(beside).write_text(json.dumps(config(whole)))
    found = find_architecture(read(weights, LIMITS), LIMITS)
    assert found is not None
    assert found.file == beside


@pytest.mark.parametrize(("kept", "paired"), [(False, False), (True, True)])
def test_a_common_name_is_refused_if_the_weights_name_none_of_its_layers(
    weights: Path, whole: Path, kept: bool, paired: bool
) -> None:
    with h5py.File(weights, "r+") as file:
        file.attrs["layer_names"] = [b"dense", b"relu"]
        file.create_group("relu").attrs["weight_names"] = []
    other = config(whole)
    for layer in other["config"]["layers"] if not kept else []:
        layer["config"]["name"] = layer["name"] = f"other_{layer['config']['name']}"
    weights.with_name("model.json").write_text(json.dumps(other))
    assert (find_architecture(read(weights, LIMITS), LIMITS) is not None) is paired
    codes = {
        finding.code
        for each in run_rules(CATALOGUE, static_facts(weights, Settings()))
        for finding in each.findings
    }
    assert ("MA124" in codes) is paired


def test_layers_that_were_only_numbered_anew_are_not_lost(weights: Path, whole: Path) -> None:
    """Keras counts layers on in one program, and reads the weights by order."""
    written = config(whole)
    for layer in written["config"]["layers"]:
        layer["config"]["name"] = layer["name"] = f"{layer['config']['name']}_106"
    weights.with_name("model.json").write_text(json.dumps(written))
    facts = static_facts(weights, Settings())
    assert facts.artifact.extra["architecture_from"] == "model.json"
    assert facts.artifact.extra["lost_layers"] == []
