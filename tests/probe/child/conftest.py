"""TensorFlow, and its functions of version 1."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


@pytest.fixture
def v1(tf):
    """TensorFlow 1's functions on a graph of their own, with its control flow and variables."""
    with tf.Graph().as_default():
        v1 = tf.compat.v1
        v1.disable_control_flow_v2()
        v1.set_random_seed(1)
        yield v1
        v1.enable_control_flow_v2()
