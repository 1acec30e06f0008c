"""What to do about files that are missing, or have the wrong name, place or format."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from modelaudit.facts import Problem, ProblemKind
from modelaudit.findings import Severity
from modelaudit.formats.io.bounded import free_name
from modelaudit.formats.pickle_names import pickle_names
from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue, examples
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.security.container.pickles import instead
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made import lite_files
from tests.made.files import minimal_h5, minimal_keras
from tests.made.saved_models import tf1_message, write

CODES = ("MA107", "MA115", "MA117", "MA121", "MA731", "MA739")


def found_in(path, *codes):
    facts = static_facts(path, Settings())
    return [
        finding
        for code in codes or CODES
        for finding in run_rule(catalogue.rule(code), facts).findings
    ]


def without_metadata(source, folder):
    """An archive without `metadata.json`, and the directory that it is unpacked into."""
    archive = folder / "without.keras"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(archive, "w") as less:
        for name in whole.namelist():
            if name != "metadata.json":
                less.writestr(name, whole.read(name))
                whole.extract(name, folder / "unpacked")
    return archive, folder / "unpacked"


def test_a_model_without_metadata_lacks_nothing(tmp_path):
    for path in without_metadata(minimal_keras(tmp_path / "m.keras"), tmp_path):
        assert found_in(path) == []


@pytest.mark.slow
def test_keras_loads_it_without_metadata(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    for path in without_metadata(tmp_path / "m.keras", tmp_path):
        loaded = keras.models.load_model(path)
        assert all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
        assert found_in(path) == []


def misnamed(folder, name="model1.pb", *, variables=True):
    write(folder, tf1_message(), variables)
    (folder / "saved_model.pb").rename(folder / name)
    return folder / name


def test_a_graph_beside_its_variables_needs_its_name(tmp_path):
    (found,) = found_in(misnamed(tmp_path / "m"))
    assert found.code == "MA117"
    assert "another name" in found.title
    assert found.fix == "Rename `model1.pb` to `saved_model.pb`, and load its directory."


def test_a_graph_whose_name_is_taken_needs_a_directory(tmp_path):
    path = misnamed(tmp_path / "m")
    write(tmp_path / "m", tf1_message())
    (found,) = found_in(path)
    assert found.fix.startswith("Put `model1.pb` into a directory of its own")
    assert "Rename" not in found.fix


def test_a_graph_without_its_variables_says_so(tmp_path):
    (found,) = found_in(misnamed(tmp_path / "m", variables=False))
    assert "not beside it" in found.detail
    assert "the weights are lost" in found.fix


def test_a_graph_beside_the_files_of_its_variables_says_where_they_belong(tmp_path):
    path = misnamed(tmp_path / "m")
    for each in (tmp_path / "m" / "variables").iterdir():
        each.rename(tmp_path / "m" / each.name)
    (found,) = found_in(path)
    assert "Move variables.index" in found.fix
    assert "lost" not in found.fix


def test_a_graph_of_constants_needs_no_variables(tmp_path):
    message = tf1_message()
    graph = message.meta_graphs[0].graph_def
    kept = [node for node in graph.node if node.op in {"Placeholder", "Const"}]
    del graph.node[:]
    graph.node.extend(kept)
    write(tmp_path / "m", message, variables=False)
    (tmp_path / "m" / "saved_model.pb").rename(tmp_path / "m" / "net.pb")
    (found,) = found_in(tmp_path / "m" / "net.pb")
    assert "variables" not in found.detail + found.fix


def test_variables_beside_the_graph_are_to_be_moved(tmp_path):
    root = write(tmp_path / "m", tf1_message())
    moved = [each.name for each in (root / "variables").iterdir()]
    for name in moved:
        (root / "variables" / name).rename(root / name)
    (root / "notes.txt").write_text("notes")
    found = found_in(root)
    assert [each.code for each in found] == ["MA107", "MA115"]
    assert "Move" in found[0].fix and all(name in found[0].fix for name in moved)
    assert "notes.txt" in found[1].detail
    (root / "variables").mkdir(exist_ok=True)
    for name in moved:
        (root / name).rename(root / "variables" / name)
    assert [each.code for each in found_in(root)] == ["MA115"]


@pytest.mark.parametrize("gone", ["variables", ""])
def test_the_advice_on_a_missing_file_is_that_of_the_format(tmp_path, gone):
    if gone:
        root = write(tmp_path / "m", tf1_message())
        shutil.rmtree(root / gone)
    else:
        root = tmp_path / "m.keras"
        minimal_keras(tmp_path / "whole.keras")
        with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(root, "w") as less:
            for name in whole.namelist():
                if name != "model.weights.h5":
                    less.writestr(name, whole.read(name))
    (found,) = found_in(root, "MA107")
    assert ("SavedModel" in found.fix) is bool(gone)


def test_a_suffix_is_named_and_not_one_that_is_taken(tmp_path):
    path = minimal_h5(tmp_path / "model.keras")
    (found,) = found_in(path, "MA117")
    assert (found.title, found.fix) == (
        "The file's suffix does not match its format",
        "Rename `model.keras` to `model.h5`.",
    )
    minimal_h5(tmp_path / "model.h5")
    (found,) = found_in(path, "MA117")
    assert found.fix == "Rename `model.keras` to `model-2.h5`."


@pytest.mark.parametrize(
    ("name", "suffix", "renamed"),
    [
        ("model.keras", ".h5", "model.h5"),
        ("model", ".h5", "model.h5"),
        ("epoch12-0.93", ".keras", "epoch12-0.93.keras"),
        ("net.v2.hdf5", ".keras", "net.v2.keras"),
    ],
)
def test_a_free_name_keeps_what_is_no_suffix_of_a_model(tmp_path, name, suffix, renamed):
    assert free_name(tmp_path / name, suffix) == renamed


STATE = """model_checkpoint_path: "{}"
all_model_checkpoint_paths: "{}"
all_model_checkpoint_paths: "{}"
"""


@pytest.mark.parametrize(
    ("latest", "history", "field"),
    [
        ("/old/m-2", ("/old/m-1", "/old/m-2"), "model_checkpoint_path"),
        ("m-2", ("/old/m-1", "m-2"), "all_model_checkpoint_paths"),
    ],
)
def test_one_state_file_is_one_finding_that_names_the_field(tmp_path, latest, history, field):
    root = write(tmp_path / "m", tf1_message())
    for each in (root / "variables").iterdir():
        each.rename(tmp_path / each.name.replace("variables", "m-2"))
    (tmp_path / "checkpoint").write_text(STATE.format(latest, *history))
    (found,) = found_in(tmp_path / "m-2", "MA731")
    assert f"`{field}`" in found.fix.partition(".")[0]
    assert str(found.severity) == "medium"
    (tmp_path / "checkpoint").write_text(STATE.format("m-2", "../m-1", "/old/m-0"))
    (found,) = found_in(tmp_path / "m-2", "MA731")
    assert str(found.severity) == "high"
    (tmp_path / "checkpoint").write_text(STATE.format("m-2", "m-1", "m-2"))
    assert found_in(tmp_path / "m-2", "MA731") == []


def test_an_architecture_under_the_name_of_weights_is_called_one(tmp_path):
    path = tmp_path / "autoencoder.h5"
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": []}}
    path.write_text(json.dumps(config))
    (found,) = found_in(path)
    assert (found.code, "model.to_json()" in found.fix) == ("MA121", True)
    assert "autoencoder.json" in found.fix and "framework" not in found.fix
    path.write_text("some other text")
    (found,) = found_in(path)
    assert "framework" in found.fix


@pytest.mark.slow
@pytest.mark.parametrize("unknown", [False, True])
def test_a_new_name_is_not_all_where_more_stops_it(tmp_path, unknown):
    """Each sentence is compared with Keras, as the renamed file is loaded."""
    tf_keras, keras = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    layer = tf_keras.layers.Conv2DTranspose(2, 3) if unknown else tf_keras.layers.Conv2D(2, 3)
    model = tf_keras.Sequential([tf_keras.Input((6, 6, 3)), layer])  # with groups, as Keras 2 does
    model.save(tmp_path / "m.h5")
    path = shutil.copy(tmp_path / "m.h5", tmp_path / "m.keras")
    (found,) = found_in(path, "MA117")
    assert ("does not load it then either" in found.fix) is unknown
    if unknown:
        with pytest.raises(TypeError, match="groups"):
            keras.models.load_model(tmp_path / "m.h5", compile=False)
        assert "groups" in found.fix
    else:
        keras.models.load_model(tmp_path / "m.h5", compile=False)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["object", "text"])
def test_a_new_name_is_not_all_where_compiling_stops_it(tmp_path, loss):
    tf_keras, keras = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    given = tf_keras.losses.MeanSquaredError() if loss == "object" else "mean_squared_error"
    model.compile("sgd", given)
    model.save(tmp_path / "m.h5")
    (found,) = found_in(shutil.copy(tmp_path / "m.h5", tmp_path / "m.keras"), "MA117")
    assert ("compile=False" in found.fix) is (loss == "object")
    if loss == "object":
        with pytest.raises(TypeError, match="argument 'fn'"):
            keras.models.load_model(tmp_path / "m.h5")
        assert "the loss MeanSquaredError has fn" in found.fix
        keras.models.load_model(tmp_path / "m.h5", compile=False)
    else:
        keras.models.load_model(tmp_path / "m.h5")


def as_pickle(tmp_path, value):
    path = tmp_path / "model.h5"
    path.write_bytes(pickle.dumps(value))
    (found,) = found_in(path)
    assert found.code == "MA739"
    return found


def test_a_pickle_of_plain_data_names_no_code(tmp_path):
    found = as_pickle(tmp_path, {"loss": [0.5, 0.25], "epochs": 2})
    assert "in which no name of code was found" in found.detail
    assert found.fix.startswith("Do not open it")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_pickle_of_a_model_is_one(package):
    keras = pytest.importorskip(package)
    model = keras.Sequential([keras.layers.Dense(2)])
    model.build((None, 3))
    found = pickle_names(pickle.dumps({"model": model}))
    evidence = {"program": "a pickle", "names": [*found.names], "whole": found.whole}
    problem = Problem(ProblemKind.UNSUPPORTED, "m.h5", "is a Python pickle", evidence=evidence)
    told = instead(catalogue.rule("MA739"), problem)
    assert "as pickles of Keras models do" in told.detail and "model.save" in told.fix


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("keras.saving.pickle_utils.deserialize_model_from_bytecode", True),
        ("keras.src.saving.keras_saveable.KerasSaveable._unpickle_model", True),
        ("keras.engine.sequential.Sequential", True),
        ("tensorflow.python.keras.engine.training.Model", True),
        ("keras.preprocessing.text.Tokenizer", False),
        ("keras_preprocessing.text.Tokenizer", False),
        ("torch.nn.modules.container.Sequential", False),
    ],
)
def test_which_names_are_those_of_models(name, model):
    evidence = {"program": "a pickle", "names": [name], "whole": True}
    problem = Problem(ProblemKind.UNSUPPORTED, "m.h5", "is a Python pickle", evidence=evidence)
    found = instead(catalogue.rule("MA739"), problem)
    assert ("as pickles of Keras models do" in found.detail) is model
    assert name in found.detail


def test_names_of_keras_do_not_hide_the_others(tmp_path):
    """Names prove nothing: any pickle is told not to be opened, and what is not of Keras first."""
    names = [f"keras.src.layers.L{number}" for number in range(9)] + ["posix.system"]
    names.append("keras.saving.pickle_utils.deserialize_model_from_bytecode")
    evidence = {"program": "a pickle", "names": names, "whole": True}
    problem = Problem(ProblemKind.UNSUPPORTED, "m.h5", "is a Python pickle", evidence=evidence)
    found = instead(catalogue.rule("MA739"), problem)
    assert "names posix.system, keras" in found.detail
    assert found.fix.startswith("Do not open it unless you know who wrote it.")


def test_a_missing_file_of_an_unknown_format_has_the_general_advice():
    problem = Problem(ProblemKind.MISSING_FILE, "x", "is missing")
    facts = Facts(replace(examples.model(), problems=(problem,)))
    (found,) = run_rule(catalogue.rule("MA107"), facts).findings
    assert "SavedModel" not in found.fix


def test_an_archive_of_a_directory_is_to_be_made_without_it(tmp_path):
    path = tmp_path / "m.keras"
    with (
        zipfile.ZipFile(minimal_keras(tmp_path / "plain.keras")) as plain,
        zipfile.ZipFile(path, "w") as archive,
    ):
        for name in plain.namelist():
            archive.writestr(f"model/{name}", plain.read(name))
    (finding,) = found_in(path, "MA121")
    assert finding.title == "The files of the archive are in a directory"
    assert "without the directory" in finding.fix


def test_a_tensor_that_tensorflow_lite_stores_sparse_is_no_fault_of_the_model(tmp_path):
    """One finding for all of them, low, without the advice to save a Keras model again."""
    model = lite_files.conv_model()
    for tensor in model.subgraphs[0].tensors[1:3]:
        tensor.sparsity = lite_files.schema().SparsityParametersT()
    path = tmp_path / "m.tflite"
    path.write_bytes(lite_files.packed(model))
    (found,) = found_in(path, "MA121")
    assert found.severity is Severity.LOW
    assert "other tensor" in found.detail
    assert "SavedModel" not in found.fix
    path.write_bytes(lite_files.packed(lite_files.conv_model()))
    assert found_in(path, "MA121") == []


def test_a_part_of_another_format_in_another_file_keeps_its_severity():
    problem = Problem(ProblemKind.UNSUPPORTED, "m.h5", "has a type of its own", "a/kernel")
    facts = Facts(replace(examples.model(), problems=(problem,)))
    (found,) = run_rule(catalogue.rule("MA121"), facts).findings
    assert found.severity is Severity.MEDIUM
