"""Cost of studying a large image model, relative to two plain `predict` calls per transform.

    python -m benchmarks.speed.probe MODEL.keras [--inputs 256] [--timeout 3600]

Generates smooth random images of the model's size, times two `model.predict` calls on all of them
in a process of their own, then the whole behaviour study on the same images, then `predict`
again, and prints the ratio to (transforms used) x (two predict calls): in wall-clock seconds, and
in CPU seconds, which depend less on other work on the machine. A model to measure can be created
with `keras.applications.MobileNetV2(weights=None).save("MobileNetV2.keras")`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.settings import Settings
from modelaudit.structs import replace

PLAIN = """
import os, resource, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
x = np.load(sys.argv[2])["x"]
model = keras.models.load_model(sys.argv[1], compile=False)
cpu, wall = time.process_time(), time.monotonic()
for _ in range(2):
    model.predict(x, batch_size=32, verbose=0)
print(time.monotonic() - wall, time.process_time() - cpu)
"""
LIMIT = 4.0  # times two plain calls per transform


def images(path: Path, n: int, side: int) -> None:
    """Write `n` smooth images in [0, 255]: 7 x 7 noise, upscaled, plus a little pixel noise."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(size=(n, 7, 7, 3)).repeat(-(-side // 7), 1).repeat(-(-side // 7), 2)
    grain = rng.normal(scale=0.02, size=(n, side, side, 3))
    x = np.clip(coarse[:, :side, :side] + grain, 0, 1) * 255
    np.savez(path, x=x.astype("float32"))


def plain(model: Path, data: Path) -> tuple[float, float]:
    """Wall and CPU seconds of two predict calls, without imports and loading."""
    command = [sys.executable, "-c", PLAIN, str(model), str(data)]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(words[-2]), float(words[-1])


def main() -> int:
    """Print the results; return 1 if CPU time is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("model", type=Path)
    parser.add_argument("--inputs", type=int, default=256)
    parser.add_argument("--timeout", type=float, default=3600.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory, "images.npz")
        settings = Settings()
        probe = replace(settings.probe, data=str(data), timeout=asked.timeout)
        settings = replace(settings, probe=probe)
        facts = static_facts(asked.model, settings)
        layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
        shape = next((each.output_shape for each in layers if each.output_shape), None)
        side = shape[1] if shape and len(shape) == 4 and shape[1] else 224
        images(data, asked.inputs, side)
        before = plain(asked.model, data)
        started = os.times()
        with local_probe(settings) as runtime:
            wall = time.monotonic()
            facts = add_probe(facts, runtime)
            wall = time.monotonic() - wall
        ended = os.times()
        after = plain(asked.model, data)
    behaviour = facts.behaviour
    if behaviour is None:
        print(f"the model was not studied: {facts.probe_skipped or facts.observations[0].error}")
        return 1
    cpu = sum(ended[:4]) - sum(started[:4])
    transforms = len(behaviour.outputs[0].transforms)
    for name, spent, two in (
        ("wall", wall, (before[0] + after[0]) / 2),
        ("CPU", cpu, (before[1] + after[1]) / 2),
    ):
        print(
            f"{name}: study {spent:.0f} s with {behaviour.inputs.n} inputs, two predict calls "
            f"{two:.1f} s, {transforms} transforms: ratio {spent / (transforms * two):.2f} "
            f"(limit {LIMIT:.0f})"
        )
    return int(cpu > LIMIT * transforms * (before[1] + after[1]) / 2)


if __name__ == "__main__":
    sys.exit(main())
