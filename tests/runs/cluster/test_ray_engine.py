"""A Ray cluster of two nodes on this machine, and runs on it."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from benchmarks.speed.run_content import content
from modelaudit.errors import UsageError
from modelaudit.findings import Verdict
from modelaudit.runs.cluster import ray_engine
from modelaudit.runs.cluster.messages import NodeTask, from_line
from modelaudit.runs.cluster.node_auditor import NodeAuditor
from modelaudit.runs.found_models import find_models
from modelaudit.runs.progress import SILENT
from modelaudit.settings.engine import Engine
from modelaudit.structs import replace
from tests.runs.cluster.test_node_worker import SETTINGS, order_for
from tests.runs.nights import invoke

pytestmark = pytest.mark.slow

GIB = 1 << 30
NODE = {"num_cpus": 1, "memory": 2 * GIB, "object_store_memory": GIB // 12}


class Fragile(NodeAuditor):
    """Is lost with every model named `kills`, and with the first attempt at `once`."""

    def audit(self, task: bytes) -> bytes:
        path = from_line(NodeTask, task).target.path
        tried = path.parent.parent / "tried"
        if path.stem == "kills" or (path.stem == "once" and not tried.exists()):
            tried.touch()
            os._exit(1)
        return super().audit(task)


class Unable(NodeAuditor):
    """As where another version is installed."""

    def begin(self) -> bytes:
        raise ImportError("no module named modelaudit.runs.cluster")


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patched:
        # Otherwise Ray takes the address of the machine in its network, even for a loopback one.
        patched.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        checks = {"initial_delay_ms": 0, "period_ms": 500, "failure_threshold": 4}
        quick = {f"health_check_{name}": value for name, value in checks.items()}
        head = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
        head |= {"_system_config": quick}
        made = Cluster(initialize_head=True, head_node_args={**NODE, **head})
        made.second = made.add_node(**NODE, node_ip_address="127.0.0.2")
        yield made
        made.shutdown()


def ordered(cluster, out, **more):
    out.mkdir()
    settings = replace(SETTINGS, engine=Engine("ray", cluster.address), **more)
    return replace(order_for(out), settings=settings)


def test_reports_and_history_are_those_of_one_machine(cluster, models):
    here, there = models.parent / "here", models.parent / "out"
    words = ("audit", models, "--no-probe", "-f", "json", "-f", "html", "-f", "sarif", "-o")
    local = invoke(*words, here)
    done = invoke(*words, there, "--engine", "ray", "--ray-address", cluster.address)
    assert done.exit_code == local.exit_code, done.output
    expected = content(here)
    assert {**content(there), "runs": None} == {**expected, "runs": None}
    assert len(expected) > 9


def test_room_is_that_of_the_nodes(cluster, models):
    with pytest.raises(UsageError, match=r"no node of the cluster has 1 core and 9\.0 GiB"):
        probe = replace(SETTINGS.probe, enabled=True, memory=9 * GIB)
        order = ordered(cluster, models.parent / "out", probe=probe)
        next(ray_engine.audit_on_ray(find_models((models,), SETTINGS).targets, order, {}, SILENT))


def test_nodes_that_cannot_start_an_audit_end_the_run(cluster, models, monkeypatch):
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(ray_engine, "NodeAuditor", Unable)
    order = ordered(cluster, models.parent / "out")
    with pytest.raises(UsageError, match=r"cannot start an audit: .*no module named modelaudit"):
        next(ray_engine.audit_on_ray(find_models((models,), SETTINGS).targets, order, {}, SILENT))


def test_a_cluster_that_is_not_there():
    with pytest.raises(UsageError, match=r"cannot reach the Ray cluster at 127\.0\.0\.1:9"):
        next(
            ray_engine.audit_on_ray(
                (None,),
                replace(
                    order_for(None), settings=replace(SETTINGS, engine=Engine("ray", "127.0.0.1:9"))
                ),
                {},
                SILENT,
            )
        )


def test_nothing_is_lost_and_nothing_comes_twice(cluster, models, monkeypatch):
    """Last, since it takes a node away."""
    for name in ("kills", "once", *"cdefghij"):
        shutil.copy(models / "a.h5", models / f"{name}.h5")
    monkeypatch.setattr(ray_engine, "NodeAuditor", Fragile)
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes do not have the tests
    order = ordered(cluster, models.parent / "out")
    targets = find_models((models,), order.settings).targets
    found = []
    for done in ray_engine.audit_on_ray(targets, order, {}, SILENT):
        found.append(done.row)
        if len(found) == 4:
            cluster.remove_node(cluster.second, allow_graceful=False)
    assert sorted(row.path for row in found) == sorted(each.name for each in models.iterdir())
    verdicts = {row.path: row.verdict for row in found}
    assert {x for x in verdicts if verdicts[x] is not Verdict.PASS} == {"kills.h5", "truncated.h5"}
    assert "its process was lost 2 times" in next(
        row.reason for row in found if row.path == "kills.h5"
    )
    for row in found:
        assert (models.parent / "out" / "models" / row.slug / "audit.json").is_file()
