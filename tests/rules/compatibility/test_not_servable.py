"""SavedModels without a signature or the tag `serve`: what is said of them, and what is run."""

from __future__ import annotations

import pytest

from modelaudit.api import audit
from modelaudit.findings import Finding, Severity
from modelaudit.schema import Audit
from tests.sharing import with_tensorflow

MAKE = """
import sys
import tensorflow as tf
v1 = tf.compat.v1
folder = sys.argv[1]

class Scores(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.random.stateless_normal([4, 3], [1, 2]))

    @tf.function
    def score(self, x, training=False):
        return {"p": tf.nn.softmax((tf.nn.dropout(x, 0.5) if training else x) @ self.w)}

class More(Scores):
    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def logits(self, x):
        return x @ self.w

rows = tf.TensorSpec([None, 4])
for name, module in (("one", Scores()), ("two", More()), ("served", Scores())):
    module.score(tf.zeros([2, 4]))
    for training in (True, False):
        trace = module.score.get_concrete_function(rows, training=training)
    if name == "two":
        module.logits(tf.zeros([2, 4]))
        del More.logits  # or it becomes the signature
        module.logits = tf.function(lambda x: x @ module.w)
        module.logits(tf.zeros([2, 4]))
    tf.saved_model.save(module, f"{folder}/{name}", trace if name == "served" else None)
for tag in ("serve", "train"):
    for named in (True, False):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            w = v1.get_variable("w", [4, 3])
            y = tf.nn.softmax(x @ w, name="y")
            session.run(v1.global_variables_initializer())
            path = f"{folder}/{tag}{'_named' if named else ''}"
            builder = v1.saved_model.builder.SavedModelBuilder(path)
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            signatures = {"serving_default": signature} if named else None
            builder.add_meta_graph_and_variables(session, [tag], signature_def_map=signatures)
            builder.save()
"""


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    folder = tmp_path_factory.mktemp("served")
    with_tensorflow("-c", MAKE, folder)
    return {each.model.path: each for each in audit(folder)}


def found(audits: dict[str, Audit], name: str) -> list[Finding]:
    results = [each for each in audits[name].results if each.code == "MA226"]
    return [finding for result in results for finding in result.findings]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "severity", "said", "call"),
    [
        ("one", "info", "There is no signature; the functions are score(x).", "model.score(...)"),
        ("two", "info", "the functions are logits(x), score(x).", "model.logits(...)"),
        ("serve", "low", "There is no signature, and no function", "session, ['serve'], 'serve'"),
        ("train", "low", "No graph has the tag serve; the tags are train. There", "['train']"),
        ("train_named", "low", "the tags are train.", "model.signatures['serving_default'](...)"),
    ],
)
def test_what_is_there_and_how_it_is_loaded(
    audits: dict[str, Audit], name: str, severity: str, said: str, call: str
) -> None:
    (finding,) = found(audits, name)
    assert finding.severity is Severity(severity)
    assert said in finding.detail
    assert call in finding.fix


@pytest.mark.slow
def test_a_model_that_can_be_served_has_no_finding(audits: dict[str, Audit]) -> None:
    assert not found(audits, "served")
    assert not found(audits, "serve_named")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "served", "serve", "train", "serve_named", "train_named"])
def test_what_can_be_called_is_run(audits: dict[str, Audit], name: str) -> None:
    behaviour = audits[name].behaviour
    assert behaviour.inputs is not None
    assert behaviour.inputs.shape[1:] == (4,)
    assert behaviour.deterministic


@pytest.mark.slow
def test_several_functions_are_named_as_the_reason(audits: dict[str, Audit]) -> None:
    reason = audits["two"].behaviour.skipped_reason
    assert "its root object has the functions logits, score" in str(reason)
