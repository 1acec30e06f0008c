"""Audits of the same models on this machine and on a Ray cluster of two nodes on loopback.

    python -m benchmarks.speed.cluster [N] [--run-models] [--rounds R] [--seed S] [--keep FOLDER]
    python -m benchmarks.speed.cluster [N] --one-node --no-losses

Makes N models (default: 500) as `registry_1000` does. Each is audited without probes, or as by
default with `--run-models`, R times in turn

    here      by two workers of this machine
    cluster   by a cluster of two nodes with one core each, or of one with two (`--one-node`)

and once by

    losses    the same cluster, where at random moments a node and a worker are killed, then the
              driver, which is started again with `--resume`

and the reports, the index and the history have to be those of `here`, apart from times. CPU seconds
of a cluster are those of all its processes, without those of its start. `--no-losses` leaves out
the last one.

Exits with 1 if they differ, or the cluster needs over 1.15 times the CPU in the median of rounds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from benchmarks.speed.registry_1000 import make
from benchmarks.speed.run_content import content
from modelaudit.settings import ProbeSettings

MOST = 1.15
MARK = "MODELAUDIT_CLUSTER"
GIB = 1 << 30
NODE = {"num_cpus": 1, "memory": ProbeSettings().memory, "object_store_memory": GIB // 12}
TICKS = os.sysconf("SC_CLK_TCK")


class Clock(threading.Thread):
    """CPU seconds of all processes that descend from this one, looked at four times a second.

    What waits for the processes of a cluster does not always count their time, so that of each is
    the last that was seen. What audits on a node leaves the process that starts it, and is told by
    its environment.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = {}  # (process, its start) -> CPU seconds
        self.lock = threading.Lock()
        self.start()

    def run(self):
        while True:
            self.used()
            time.sleep(0.25)

    def used(self):
        """CPU seconds so far, without those of this process."""
        with self.lock:
            for pid, (start, ticks) in self._descendants().items():
                self.seconds[pid, start] = ticks / TICKS
            return sum(self.seconds.values())

    def _descendants(self):
        """Process -> its start and its CPU time in ticks; orphans that were seen stay in."""
        table = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                numbers = (folder / "stat").read_text().rpartition(")")[2].split()
                table[int(folder.name)] = tuple(int(numbers[place]) for place in (1, 11, 12, 19))
        known = {pid for pid, (*_, start) in table.items() if (pid, start) in self.seconds}
        found = known | {pid for pid, (parent, *_) in table.items() if parent == 1 and marked(pid)}
        parents = {os.getpid(), *found}
        while more := {pid for pid, (parent, *_) in table.items() if parent in parents} - parents:
            parents |= more
            found |= more
        return {pid: (table[pid][3], table[pid][1] + table[pid][2]) for pid in found}


def marked(pid):
    """Whether a process belongs to this program."""
    with suppress(OSError):
        return f"{MARK}={os.environ[MARK]}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    return False


os.environ[MARK] = uuid.uuid4().hex
CLOCK = Clock()


def node_workers():
    """Processes that audit on a node."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said = (folder / "cmdline").read_bytes()
            if b"cluster.node_worker" in said and marked(folder.name):
                found.append(int(folder.name))
    return found


def start(*, one_node=False):
    """A cluster of two nodes, or of one with as many cores."""
    from ray.cluster_utils import Cluster

    head = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    checks = {"initial_delay_ms": 0, "period_ms": 1000, "failure_threshold": 20}
    head["_system_config"] = {f"health_check_{name}": value for name, value in checks.items()}
    if one_node:
        twice = {name: 2 * amount for name, amount in NODE.items()}
        return Cluster(initialize_head=True, head_node_args={**twice, **head}), None
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, **head})
    return cluster, cluster.add_node(**NODE, node_ip_address="127.0.0.2")


def audit(models, out, *more):
    """The command that audits the models."""
    command = [sys.executable, "-m", "modelaudit", "audit", models, "-f", "json"]
    return list(map(str, (*command, "-o", out, *more)))


def finished(command):
    """Run the command to its end; its wall-clock and CPU seconds, with those of a cluster."""
    began, before = time.monotonic(), CLOCK.used()
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in (0, 1, 3), f"exit {done.returncode}: {done.stderr[-500:]!r}"
    return time.monotonic() - began, CLOCK.used() - before


def reported(out):
    """The number of models with a report."""
    return len(list(out.glob("models/*/audit.json")))


def disturbed(command, out, cluster, node, count, draw):
    """Run the command, kill a node, a worker and the driver, and resume; what was killed when."""
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed = []
    moments = sorted(draw.sample(range(count // 10, count * 8 // 10), 3))
    kinds = draw.sample(("node", "worker"), 2) + ["driver"]
    for moment, kind in zip(moments, kinds, strict=True):
        while reported(out) < moment:
            assert driver.poll() is None, "it ended before it was killed"
            time.sleep(0.05)
        killed.append(f"{kind} after {reported(out)}")
        if kind == "node":
            cluster.remove_node(node, allow_graceful=False)
            node = cluster.add_node(**NODE, node_ip_address="127.0.0.3")
        elif kind == "worker":
            os.kill(draw.choice(node_workers()), signal.SIGKILL)
        else:
            driver.kill()
            driver.wait()
    finished([*command, "--resume"])
    return killed


def same(one, other):
    """Whether two runs have the same reports, index and history."""
    first, second = content(one), content(other)
    names = (first.keys() | second.keys()) - {"runs"}
    return [name for name in sorted(names) if first.get(name) != second.get(name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-models", action="store_true", help="audit as by default")
    parser.add_argument("--one-node", action="store_true", help="only with --no-losses")
    parser.add_argument("--rounds", type=int, default=1, metavar="R")
    parser.add_argument("--no-losses", action="store_true")
    parser.add_argument("--keep", type=Path, help="use this folder and do not delete it")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp())
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    # Addresses on loopback; and workers that do not wait for all other processes, as here.
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
    try:
        return compare(folder, chosen)
    finally:
        if not chosen.keep:
            shutil.rmtree(folder)


def told(name, out, wall, cpu, more=""):
    """Print a line on a run."""
    count = reported(out)
    print(f"{name:9} {wall:7.1f} s wall {cpu:7.1f} s CPU, {count} models{more}", flush=True)


def compare(folder, chosen):
    """Run and compare all of them; 1 if a limit is exceeded."""
    models, different, ratios = folder / "models", {}, []
    models.mkdir(parents=True)
    for number in range(chosen.count):
        make(models, number)
    before = CLOCK.used()
    cluster, second = start(one_node=chosen.one_node)
    print(f"start of the cluster {CLOCK.used() - before:.1f} s CPU", flush=True)
    words = [] if chosen.run_models else ["--no-probe"]
    ray = (*words, "--engine", "ray", "--ray-address", cluster.address)
    try:
        for number in range(1, chosen.rounds + 1):
            here, there = folder / f"here-{number}", folder / f"cluster-{number}"
            wall, cpu = finished(audit(models, here, *words, "--jobs", 2))
            told("here", here, wall, cpu)
            its_wall, its_cpu = finished(audit(models, there, *ray))
            ratios.append((its_cpu / cpu, its_wall / wall))
            more = "; {:.2f} times the CPU, {:.2f} times the wall".format(*ratios[-1])
            told("cluster", there, its_wall, its_cpu, more)
            different[there] = same(here, there)
        if not chosen.no_losses:
            losses, draw = folder / "losses", random.Random(chosen.seed)
            command = audit(models, losses, *ray)
            killed = disturbed(command, losses, cluster, second, chosen.count, draw)
            print(f"losses    {', '.join(killed)}", flush=True)
            different[losses] = same(folder / "here-1", losses)
    finally:
        cluster.shutdown()
    for out, found in different.items():
        differ = f"{len(found)} differ, such as {found[0]}" if found else "equal"
        print(f"{out.name}: {differ}")
    cpu, wall = (statistics.median(each) for each in zip(*ratios, strict=True))
    print(f"median: {cpu:.2f} times the CPU, {wall:.2f} times the wall")
    return int(any(different.values()) or cpu > MOST)


if __name__ == "__main__":
    sys.exit(main())
