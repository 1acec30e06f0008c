"""Which tensors of a checkpoint without an object graph are an optimizer's, by their names."""

from __future__ import annotations

import pytest

from modelaudit.formats.checkpoint.variables import name_roles


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("conv/kernel", "weight"),
        ("conv/kernel/Adam", "optimizer"),
        ("conv/kernel/Adam_1", "optimizer"),
        ("other/Adam", "weight"),  # no variable `other`: a layer of that name
        ("conv/conv/kernel/Adam_1", "optimizer"),  # an optimizer in a scope
        ("train/conv/kernel/Adam", "optimizer"),
        ("head/kernel/Adam_1:0", "optimizer"),  # a saver given a dict of variables
        ("conv/kernel/t_0/Adam", "optimizer"),  # a canned Estimator
        ("conv/kernel/part_1/Adam_1", "optimizer"),
        ("other/t_0/Adam", "weight"),
        ("beta1_power", "optimizer"),
        ("beta2_power:0", "optimizer"),
        ("global_step", "other"),
        ("training/Adam/conv/kernel/m", "optimizer"),
        ("conv/kernel/ExponentialMovingAverage", "weight"),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", "other"),
    ],
)
def test_roles_by_name(name, role):
    assert name_roles(["conv/kernel", "head/kernel:0", name])[name] == role


def test_slots_are_known_by_an_optimizer_s_own_name():
    adam = {f"{v}/D_opt{n}" for v in ("a/kernel", "a/bias") for n in ("", "_1")}
    averages = {f"{v}/ExponentialMovingAverage" for v in ("a/kernel", "a/bias")}
    layer = {"b", "b/w", "b/w_1"}  # one variable named like the scope of two others
    roles = name_roles([*adam, *averages, *layer, "a/kernel", "a/bias"])
    assert {name for name, role in roles.items() if role == "optimizer"} == adam
