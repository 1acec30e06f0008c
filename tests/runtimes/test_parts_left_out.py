"""Models of which the loading call leaves a part to the program, each with a twin it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from modelaudit.api import audit
from modelaudit.audit_types.loading import Status
from modelaudit.findings import Finding
from modelaudit.schema import Audit

MAKE = """
import os, sys
import numpy as np, tensorflow as tf
os.chdir(sys.argv[1])
v1 = tf.compat.v1

def training(folder, part):
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [None, 6], "x")
        y = v1.placeholder(tf.float32, [None, 4], "y")
        w = v1.get_variable("w", [6, 4], initializer=v1.random_normal_initializer(seed=1))
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w, name="scores") - y))
        step = v1.train.AdamOptimizer(0.1).minimize(loss)
        saver = v1.train.Saver([w] if part else None)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(step, {x: np.ones((3, 6)), y: np.ones((3, 4))})
            saver.save(session, f"{folder}/model.ckpt")

training("some", True)
training("all", False)

class Named(tf.Module):
    def __init__(self):
        self.names = tf.Variable([b"a", b"bc", b"d\\0", b""], name="names")
        self.title = tf.Variable(b"titled\\0", name="title")
        self.w = tf.Variable(np.arange(12, dtype="float32").reshape(4, 3), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def __call__(self, x):
        scores = x @ self.w
        return {"scores": scores, "best": tf.gather(self.names, tf.argmax(scores, 1))}

named = Named()
tf.saved_model.save(named, "named", signatures=named.__call__)
"""


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    folder = tmp_path_factory.mktemp("parts")
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", MAKE, folder], check=True, env=quiet)
    return {each.model.path: each for each in audit(folder)}


def of(found: Audit, code: str) -> tuple[Finding, ...]:
    return next(each for each in found.results if each.code == code).findings


@pytest.mark.slow
def test_a_saver_of_some_variables_restores_these(audits: dict[str, Audit]) -> None:
    for folder in ("some", "all"):
        found = audits[f"{folder}/model.ckpt"]
        assert not of(found, "MA210")
        assert not of(found, "MA407")
        assert not of(found, "MA408")
        (seen,) = found.observations
        assert seen.status == Status.LOADED
        notes = [each for each in seen.notes if "have no value" in each]
        assert notes == ["4 of 5 variables were not restored and have no value"] * (
            folder == "some"
        )


@pytest.mark.slow
def test_strings_are_restored_weights(audits: dict[str, Audit]) -> None:
    assert not of(audits["named"], "MA407")
    assert not of(audits["named"], "MA408")
