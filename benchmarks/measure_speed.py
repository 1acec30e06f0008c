"""CPU seconds that measuring kernels takes: VGG16's convolutions, and a small network.

All weights are as drawn, the slow case: every test of the initial values is run to its end.
Prints CPU and wall seconds against the limits, with one thread for linear algebra (as processes
that scan side by side should have).

    OPENBLAS_NUM_THREADS=1 python benchmarks/measure_speed.py
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modelaudit.facts import Architecture, Artifact, Format, Kernel, Layer, Tensor
from modelaudit.measures.measure import measure

GLOROT = {"class_name": "GlorotUniform", "config": {}}
NETWORKS = {
    "VGG16": (224, [64, 64, 128, 128, 256, 256, 256, *[512] * 6], 3.0),
    "small": (16, [16, 32, 32], 0.03),
}


class InMemory:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[np.ndarray]:
        flat, step = self.values.reshape(-1), max_bytes // self.values.itemsize
        return (flat[start : start + step] for start in range(0, flat.size, step))

    def array(self) -> np.ndarray:
        return self.values


def network(side: int, widths: list[int]) -> Artifact:
    rng = np.random.default_rng(0)
    layers = [Layer("in", "in", "InputLayer", output_shape=(None, side, side, 3))]
    tensors, kernels, cin = [], [], 3
    for index, cout in enumerate(widths):
        name, limit = f"conv{index}", (6 / (9 * (cin + cout))) ** 0.5
        kernel = rng.uniform(-limit, limit, (3, 3, cin, cout)).astype(np.float32)
        stored = {f"{name}/kernel": kernel, f"{name}/bias": np.zeros(cout, np.float32)}
        tensors += [
            Tensor(n, v.shape, "float32", v.nbytes, "model", source=InMemory(v))
            for n, v in stored.items()
        ]
        kernels.append(
            Kernel(name, f"{name}/kernel", "conv", "hwio", 2, kernel.shape, f"{name}/bias",
                   initializer=GLOROT)
        )  # fmt: skip
        config = {"kernel_size": [3, 3], "padding": "same"}
        inbound = ((layers[-1].route,),)
        layers.append(Layer(name, name, "Conv2D", config=config, inbound=inbound))
        cin = cout
    return Artifact(
        Path("model"),
        Format.LEGACY_H5_FULL,
        architecture=Architecture(
            "Sequential", "net", "keras3", tuple(layers), ("in",), (layers[-1].route,)
        ),
        tensors=tuple(tensors),
        kernels=tuple(kernels),
    )


def main() -> None:
    for name, (side, widths, limit) in NETWORKS.items():
        artifact = network(side, widths)
        measure(network(16, [16]))  # first use of numpy's own lazy parts
        cpu, wall = time.process_time(), time.perf_counter()
        found = measure(artifact)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        assert {k.state for k in found.initialization} == {"fresh"}
        weights = sum(t.size for t in artifact.tensors)
        print(
            f"{name}: {weights:,} weights, {cpu:.3f} CPU s, {wall:.3f} s, limit {limit} s, "
            f"ratio {cpu / limit:.2f}"
        )


if __name__ == "__main__":
    main()
