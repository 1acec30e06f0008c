"""Sound files and runs that look hostile or faulty, each with its twin, which alone is medium."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.facts import FileEntry, Format, Json
from modelaudit.findings import Severity
from modelaudit.formats.class_labels import label_lines
from modelaudit.formats.reader import read
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import model
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.made.files import minimal_h5
from tests.made.lambda_models import lambda_model
from tests.rules.configs import dense, judged, wrapped
from tests.rules.security.config.test_trusted_packages import called


def own(**config: Json) -> dict[str, Json]:
    return {"module": "lab", "class_name": "Own", "registered_name": "lab>Own", "config": config}


def keras(name: str, **config: Json) -> dict[str, Json]:
    return {"module": "keras.layers", "class_name": name, "config": config}


def dtypes(pattern: str) -> dict[str, Json]:
    policy = {"default_policy": "float32", "policy_map": {pattern: "float32"}}
    return dense(
        dtype={
            "module": "keras.dtype_policies",
            "class_name": "DTypePolicyMap",
            "config": policy,
        }
    )


def from_package(module: str) -> dict[str, Json]:
    return {"module": module, "class_name": "GCNConv", "config": {}, "registered_name": "GCNConv"}


TWINS = {
    "letters that begin with a slash": (
        ("MA711", own(vocabulary="/-'abcdefghij")),
        ("MA711", own(vocabulary="/etc/passwd")),
    ),
    "names in LaTeX": (("MA712", dense(name="\\mu")), ("MA712", dense(name="..\\mu"))),
    "names in LaTeX, of the root": (
        ("MA712", dense(name="A\\B")),
        ("MA712", dense(name="\\\\host\\share")),
    ),
    "names in LaTeX, of two words": (
        ("MA712", dense(name="\\mu_\\theta")),
        ("MA712", dense(name="\\Windows\\theta")),
    ),
    "a ratio in LaTeX": (
        ("MA712", dense(name="A:B\\C")),
        ("MA712", dense(name="C:\\theta")),
    ),
    "letters with a path of Windows": (
        ("MA711", own(vocabulary="\\/-'abcdefghij")),
        ("MA711", own(vocabulary="C:\\words.tx")),
    ),
    "alternatives": (
        ("MA713", dtypes(".*q.*|.*k.*|.*v.*|.*o.*")),
        ("MA713", dtypes(".*q.*.*k.*.*v.*.*o.*")),
    ),
    "alternatives that are repeated": (
        ("MA713", dtypes("a.*b|c.*")),
        ("MA713", dtypes("(.*q.*|.*k.*|.*v.*|.*o.*)x")),
    ),
    "indices": (
        ("MA714", keras("Hashing", num_bins=2**32, output_mode="int")),
        ("MA714", keras("Hashing", num_bins=2**32, output_mode="one_hot")),
    ),
    "settings of the author's own": (
        ("MA714", own(n=8_100_000_000)),
        ("MA714", dense(units=8_100_000_000)),
    ),
    "a well-known package": (
        ("MA715", from_package("spektral.layers")),
        ("MA715", from_package("spektral2.layers")),
    ),
    "sound of bytes": (("MA708", called("audio.decode_wav")), ("MA708", called("audio.write"))),
    "operations by their names": (
        ("MA704", called("raw_ops.Relu")),
        ("MA704", called("raw_ops.DatasetFromGraph")),
    ),
    "operations on files by their names": (
        ("MA708", called("io.decode_csv")),
        ("MA704", called("raw_ops.ReadFile")),
    ),
    "parsed examples": (
        ("MA708", called("io.parse_example")),
        ("MA704", called("io.write_file")),
    ),
}


def over_low(code: str, layer: dict[str, Json]) -> bool:
    found = [each for each in judged(wrapped(layer)) if each.code == code]
    return any(each.severity.rank > Severity.LOW.rank for each in found)


@pytest.mark.parametrize("pair", TWINS.values(), ids=TWINS)
def test_a_sound_config_is_not_called_what_its_hostile_twin_is(pair):
    sound, hostile = pair
    assert not over_low(*sound)
    assert over_low(*hostile)


@pytest.mark.parametrize(
    ("name", "role", "severities"),
    [
        ("assets/vocab.pt", "asset", ["low"]),
        ("assets/shop.example.com.txt", "asset", []),
        ("assets/run.jar", "asset", ["low"]),
        ("assets/start.sh", "asset", ["medium"]),
        ("assets/words.pkl", "asset", ["high"]),
        ("vocab.pt", "foreign", ["high"]),
    ],
)
def test_the_bytes_of_an_asset_say_more_than_its_name(name, role, severities):
    files = (FileEntry("saved_model.pb", 9, "0" * 64, "graph"), FileEntry(name, 9, "1" * 64, role))
    facts = Facts(replace(model(), format=Format.SAVEDMODEL_TF2, files=files))
    assert [str(each.severity) for each in run_rule(rule("MA739"), facts).findings] == severities


def test_a_pickle_among_the_assets_is_told_by_its_bytes(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "assets" / "vocab.pt").write_bytes(pickle.dumps([1], protocol=4))
    findings = run_rule(rule("MA739"), Facts(read(tmp_path, Limits()))).findings
    assert [str(each.severity) for each in findings] == ["high"]


@pytest.mark.parametrize(("kind", "severity"), [(h5py.string_dtype(), "low"), ("V4", "medium")])
def test_names_of_classes_in_an_hdf5_file(kind, severity, tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = []
        values = np.array([b"cat", b"eel"], dtype=kind) if severity == "low" else np.zeros(2, kind)
        file.create_dataset("class_names", data=values)
    findings = run_rule(rule("MA737"), Facts(read(tmp_path / "m.h5", Limits()))).findings
    assert [str(each.severity) for each in findings] == [severity]


def test_lzf_is_no_plugin(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_group("model_weights").create_dataset("k", data=np.ones(9), compression="lzf")
    facts = Facts(read(tmp_path / "m.h5", Limits()))
    assert not run_rule(rule("MA727"), facts).findings
    assert any("LZF" in problem.detail for problem in facts.artifact.problems)


@pytest.mark.parametrize(
    ("operation", "code"), [("LeakyRelu(features=x)", "MA717"), ("ReadFile(filename=x)", "MA702")]
)
def test_raw_operations_reach_what_the_operation_reaches(operation, code, tmp_path):
    path = lambda_model(tmp_path, f"lambda x: tf.raw_ops.{operation}")
    facts = Facts(read(path, Limits()))
    found = {each for each in ("MA702", "MA717") if run_rule(rule(each), facts).findings}
    assert found == {code}


@pytest.mark.parametrize(
    "code",
    [
        "tf.RaggedTensor.from_tensor(x).to_tensor()",
        "tf.map_fn(lambda s: tf.image.decode_png(tf.io.decode_base64(s)), x)",
    ],
)
def test_further_arithmetic_on_tensors(code, tmp_path):
    facts = Facts(read(lambda_model(tmp_path, f"lambda x: {code}"), Limits()))
    assert not run_rule(rule("MA717"), facts).findings


def ran(made, **seen):
    facts = examples_behaviour.with_behaviour(deterministic=False)
    behaviour = replace(facts.behaviour, noise_floor=2.4e-7, **seen)
    facts = replace(facts, behaviour=behaviour, artifact=examples.model(made))
    return run_rule(rule("MA605"), facts).findings


@pytest.mark.parametrize(
    ("class_name", "severity"), [("GaussianNoise", "medium"), ("BatchNormalization", "high")]
)
def test_a_saved_training_flag_is_no_difference_between_batches(class_name, severity):
    made = examples.layer("own", class_name, {}, {"rate": 0.5})
    flagged = replace(made, call_kwargs=({"training": True},))
    (found,) = ran(flagged, repeat_differs=False, training_flag_matters=True)
    assert str(found.severity) == severity
    assert "training=True" in found.detail
    assert "2.4e-07" not in found.detail
    (found,) = ran(made, repeat_differs=False, training_flag_matters=True)
    assert "batches of other inputs" in found.detail


@pytest.mark.parametrize(
    ("class_name", "larger", "shape", "severity"),
    [
        ("IntegerLookup", None, (128, 4), "low"),
        ("Dense", None, (128, 4), "medium"),
        ("Dense", 0.9, (128, 4), "low"),
        ("Dense", 0.9, (128, 16, 16, 1), "medium"),
    ],
)
@pytest.mark.parametrize("code", ["MA602", "MA606"])
def test_made_up_rows_may_be_beside_the_data(code, class_name, larger, shape, severity):
    still = Collapse(True, 0.0, 10, 3, 0.5, 1e-9, larger=larger)
    output = replace(examples_behaviour.HEALTHY, collapse=still)
    facts = examples_behaviour.with_behaviour(output, dead_share=1.0)
    inputs = replace(facts.behaviour.inputs, kind="synthetic", shape=shape)
    facts = replace(
        facts,
        behaviour=replace(facts.behaviour, inputs=inputs),
        artifact=examples.model(examples.layer("first", class_name)),
    )
    assert [str(x.severity) for x in run_rule(rule(code), facts).findings] == [severity]


@pytest.mark.parametrize("text", ["# of 2024\ncat\ndog\n", "cat\ndog\n", "# of\n0 cat\n1 dog\n"])
def test_a_comment_is_no_class(text):
    assert label_lines(text.encode()) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("route", "told"),
    [("history/loss", []), ("model_weights/dense/loss", ["MA111", "MA113"])],
)
def test_numbers_that_a_program_adds_to_a_whole_model_are_no_weights(tmp_path, route, told):
    """Keras reads the weights of a whole model from `model_weights`, and nothing else."""
    path = minimal_h5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file[route] = np.array([0.5, np.nan], np.float32)
    facts = Facts(read(path, Limits()))
    found = [each for code in ("MA111", "MA113") for each in run_rule(rule(code), facts).findings]
    assert [each.code for each in found if each.severity.rank >= Severity.MEDIUM.rank] == told


@pytest.mark.parametrize("keras", [False, True])
def test_data_of_other_programs_may_have_any_form(tmp_path, keras):
    """As MATLAB, pandas and netCDF write them; what is odd in a model is told of a model."""
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["dense/kernel"] = np.ones((3, 2), np.float32)
        file.create_dataset("dense/lists", (3,), dtype=h5py.vlen_dtype(np.float32))
        file["dense/same"] = h5py.SoftLink("/dense/kernel")
        if keras:
            file.attrs["layer_names"] = [b"dense"]
            file["dense"].attrs["weight_names"] = [b"kernel"]
    path.write_bytes(b"MATLAB 7.3 MAT-file" + path.read_bytes()[19:])
    facts = Facts(read(path, Limits()))
    for code in ("MA726", "MA737", "MA738"):
        (finding,) = run_rule(rule(code), facts).findings
        assert finding.severity is (Severity.MEDIUM if keras else Severity.LOW)
