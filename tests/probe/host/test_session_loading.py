"""Loading by a session: calls, architectures, formats, and files that cannot be loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact, Format
from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.formats.keras.external_architecture import find_architecture, with_architecture
from modelaudit.formats.reader import read
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.observe import observe, open_session
from modelaudit.probe.host.runtime import Runtime, RuntimeHandle, installed_runtime, start_runtime
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import judge, run_rule, run_rules
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.probe.sessions import SETTINGS, only, opened, reproduces

pytestmark = pytest.mark.slow


KERAS3 = [
    ("keras3_sequential.keras", Format.KERAS_ARCHIVE, "load_model"),
    ("keras3_branches.keras", Format.KERAS_ARCHIVE, "load_model"),
    ("keras3_nested.keras", Format.KERAS_ARCHIVE, "load_model"),
    ("keras3_nested.h5", Format.LEGACY_H5_FULL, "load_model"),
    ("keras2_sequential.h5", Format.LEGACY_H5_FULL, "load_model"),
    ("keras3_export", Format.SAVEDMODEL_TF2, "saved_model.load"),
    ("keras3_export", Format.SAVEDMODEL_TF2, "TFSMLayer"),
    ("keras2_savedmodel", Format.SAVEDMODEL_TF2, "saved_model.load"),
    ("module_savedmodel", Format.SAVEDMODEL_TF2, "saved_model.load"),
    ("tf1_savedmodel", Format.SAVEDMODEL_TF1, "saved_model.load"),
    ("tf1_savedmodel", Format.SAVEDMODEL_TF1, "session"),
    ("tf1_checkpoint/model.ckpt", Format.TF1_CHECKPOINT, "import_meta_graph"),
    ("frozen_graph.pb", Format.FROZEN_GRAPH, "import_graph_def"),
]
KERAS2 = [
    ("keras2_sequential.h5", Format.LEGACY_H5_FULL, "load_model"),
    ("keras2_nested.h5", Format.LEGACY_H5_FULL, "load_model"),
    ("keras2_sequential.keras", Format.KERAS_ARCHIVE, "load_model"),
    ("keras2_savedmodel", Format.SAVEDMODEL_TF2, "load_model"),
]


@pytest.mark.parametrize(("name", "format", "call"), KERAS3)
def test_keras3_gives_the_scores_from_before_saving(
    keras3: RuntimeHandle, made: Path, golden: dict, name: str, format: Format, call: str
) -> None:
    reproduces(keras3, made, golden, name, format, call)


def test_a_graph_that_names_a_gpu_runs_without_one(
    keras3: RuntimeHandle, made: Path, golden: dict, tmp_path: Path
) -> None:
    from tensorflow.core.framework import graph_pb2

    message = graph_pb2.GraphDef.FromString((made / "frozen_graph.pb").read_bytes())
    for node in message.node:
        node.device = "/device:GPU:0"
    (tmp_path / "frozen_graph.pb").write_bytes(message.SerializeToString())
    reproduces(keras3, tmp_path, golden, "frozen_graph.pb", Format.FROZEN_GRAPH, "import_graph_def")


def test_a_checkpoint_without_its_graph_is_weights_only(
    keras3: RuntimeHandle, made: Path, tmp_path: Path
) -> None:
    """Its program builds the graph: not to be able to import one is no failure to load."""
    for path in (made / "tf1_checkpoint").iterdir():
        if path.suffix != ".meta":
            shutil.copy(path, tmp_path)
    artifact = read(tmp_path / "model.ckpt", Limits())
    seen, session = observe(keras3, artifact, SETTINGS)
    assert (seen.status, session) == (Status.REFUSED, None)
    assert "only weights" in seen.error
    facts = Facts(artifact, observations=(seen,))
    assert run_rule(rule("MA210"), facts).outcome is not Outcome.FAIL
    verdict, reason = judge(run_rules(CATALOGUE, facts), facts, Severity.HIGH)
    assert verdict is Verdict.INCOMPLETE
    assert "weights but no graph (model.ckpt.meta)" in reason


@pytest.mark.parametrize(("name", "format", "call"), KERAS2)
def test_keras2_gives_the_scores_from_before_saving(
    keras2: RuntimeHandle, made: Path, golden: dict, name: str, format: Format, call: str
) -> None:
    reproduces(keras2, made, golden, name, format, call)


def test_weights_need_an_architecture_and_use_it(
    keras3: RuntimeHandle, made: Path, golden: dict, tmp_path: Path
) -> None:
    import zipfile

    weights = tmp_path / "net.weights.h5"
    weights.write_bytes((made / "keras3_sequential.weights.h5").read_bytes())
    artifact = read(weights, Limits())
    seen, session = observe(keras3, artifact, SETTINGS)
    assert (seen.status, session) == (Status.REFUSED, None)
    assert "architecture" in seen.error
    with zipfile.ZipFile(made / "keras3_sequential.keras") as archive:
        (tmp_path / "net.json").write_bytes(archive.read("config.json"))
    beside = find_architecture(read(weights, Limits()), Limits())
    assert beside is not None
    seen, session = observe(keras3, with_architecture(artifact, beside, Limits()), SETTINGS)
    assert session is not None, seen.error
    with session:
        session.put({"x": golden["x"]})
        y = only(session.predict([Feed("x")]))
    np.testing.assert_allclose(y, golden["keras3_sequential.weights.h5"], atol=1e-5)


@pytest.mark.parametrize("registered", [True, False])
def test_a_session_loads_what_objects_of_an_absent_library_keep_from_loading(
    keras3: RuntimeHandle, keras2: RuntimeHandle, made: Path, tmp_path: Path, registered: bool
) -> None:
    """A policy of TF-Agents returns a type of the library; its signature returns tensors."""
    from tensorflow.core.protobuf import saved_model_pb2, struct_pb2

    path = Path(shutil.copytree(made / "module_savedmodel", tmp_path / "policy"))
    message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    for function in message.meta_graphs[0].object_graph_def.concrete_functions.values():
        if not registered:
            value = function.output_signature
            value.Clear()
            value.type_spec_value.type_spec_class = struct_pb2.TypeSpecProto.REGISTERED_TYPE_SPEC
            value.type_spec_value.type_spec_class_name = "lab.PairSpec"
            value.type_spec_value.type_state.tuple_value.SetInParent()
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    artifact = read(path, Limits())
    tried = []
    for handle in (keras3, keras2):
        seen, session = observe(handle, artifact, SETTINGS)
        tried.append(seen)
        if session is not None:
            session.close()
    assert [(seen.status, seen.call) for seen in tried] == (
        [(Status.LOADED, "saved_model.load")] * 2
        if registered
        else [(Status.FAILED, "saved_model.load"), (Status.LOADED, "session")]
    )
    facts = Facts(artifact, observations=tuple(tried))
    told = {
        code: [each.severity for each in run_rule(rule(code), facts).findings]
        for code in ("MA210", "MA211", "MA715")
    }
    assert told == {"MA210": [], "MA211": [], "MA715": [] if registered else [Severity.LOW]}
    if not registered:
        said = "The type 'X' is not supported by this version of TensorFlow. (…)"
        other = replace(facts, observations=(tried[0], replace(tried[1], refused=said)))
        assert "needs X," in run_rule(rule("MA715"), other).findings[0].detail
        odd = replace(facts, observations=(tried[0], replace(tried[1], refused="KeyError: 'f'")))
        assert [each.severity for each in run_rule(rule("MA210"), odd).findings] == [Severity.LOW]


def test_saved_model_variables_carry_checkpoint_keys(keras3: RuntimeHandle, made: Path) -> None:
    with opened(keras3, made / "module_savedmodel", Format.SAVEDMODEL_TF2) as session:
        shapes = {v.path: v.shape for v in session.observation.variables}
    assert shapes == {"kernel": (192, 5), "bias": (5,)}
    checkpoint = made / "tf1_checkpoint" / "model.ckpt"
    with opened(keras3, checkpoint, Format.TF1_CHECKPOINT) as session:
        shapes = {v.path: v.shape for v in session.observation.variables}
        assert shapes == {"head/kernel": (192, 5), "head/bias": (5,)}
        session.put({"x": np.zeros((1, 8, 8, 3), "f4")})
        session.assign({"head/bias": np.arange(5, dtype="f4")})
        np.testing.assert_array_equal(only(session.predict([Feed("x")])), [np.arange(5)])


def test_calls_are_tried_in_order(keras2: RuntimeHandle, made: Path) -> None:
    with opened(keras2, made / "module_savedmodel", Format.SAVEDMODEL_TF2) as session:
        assert [seen.call for seen in session.attempts] == ["load_model", "saved_model.load"]
        assert session.attempts[0].status in {Status.FAILED, Status.LOADED}


def test_a_file_that_is_not_a_model_fails_with_the_loader_s_message(
    keras3: RuntimeHandle, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    seen, session = observe(keras3, Artifact(root=bad, format=Format.LEGACY_H5_FULL), SETTINGS)
    assert (seen.status, session) == (Status.FAILED, None)
    assert seen.error_type == "OSError"
    assert seen.error


def test_formats_that_cannot_be_run_are_refused(keras3: RuntimeHandle, tmp_path: Path) -> None:
    seen, session = observe(
        keras3, Artifact(root=tmp_path, format=Format.GIT_LFS_POINTER), SETTINGS
    )
    assert (seen.status, session) == (Status.REFUSED, None)


def test_a_runtime_that_cannot_start_is_unavailable(tmp_path: Path) -> None:
    false = tmp_path / "python"
    false.write_text("#!/bin/sh\necho no TensorFlow here >&2\nexit 3\n")
    false.chmod(0o755)
    artifact = Artifact(root=tmp_path, format=Format.SAVEDMODEL_TF2)
    for python in (str(false), str(tmp_path / "absent")):
        with start_runtime(Runtime("other", python)) as handle:
            seen, session = observe(handle, artifact, SETTINGS)
            assert (seen.status, session) == (Status.UNAVAILABLE, None)
            assert seen.error
    with start_runtime(Runtime("other", str(false))) as handle:
        assert "no TensorFlow here" in handle.failure
    left = open_session(handle, tmp_path, Format.SAVEDMODEL_TF2, SETTINGS)
    assert not left.alive


def test_a_fresh_process_per_model_answers_alike(made: Path, golden: dict) -> None:
    with start_runtime(installed_runtime(), fork=False) as handle:
        reproduces(
            handle, made, golden, "keras3_sequential.keras", Format.KERAS_ARCHIVE, "load_model"
        )
    gone = open_session(handle, made / "keras3_sequential.keras", Format.KERAS_ARCHIVE, SETTINGS)
    assert gone.observation.status is Status.UNAVAILABLE
    assert not Path(handle.scratch).exists()
