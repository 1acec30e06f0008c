"""CPU seconds for measuring kernels: VGG16's convolutions, and a small network.

All weights have initial values, the slow case: every test of the initial values runs to its end.
Prints CPU seconds, and the ratio to a plain numpy implementation of the symmetry formula on the
same kernels; each is the minimum of several alternating runs, with one thread for linear algebra
(as recommended for parallel scans).

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.speed.measures
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from modelaudit.facts import Architecture, Artifact, Format, Kernel, Layer, Tensor
from modelaudit.measures.measure import measure

GLOROT = {"class_name": "GlorotUniform", "config": {}}
NETWORKS = {
    "VGG16": (224, [64, 64, 128, 128, 256, 256, 256, *[512] * 6]),
    "small": (16, [16, 32, 32]),
}
RUNS = 5
T = TypeVar("T")


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


def written_out(kernels: Sequence[np.ndarray]) -> list[float]:
    """Squared distance of each kernel to its image under each element of the dihedral group D4."""
    distances = []
    for kernel in kernels:
        values = kernel.astype(np.float64)
        for quarter in range(4):
            turned = np.rot90(values, quarter)
            distances += [float(np.sum((values - x) ** 2)) for x in (turned, turned[:, ::-1])]
    return distances


def cpu_seconds(work: Callable[[T], object], given: T) -> float:
    start = time.process_time()
    work(given)
    return time.process_time() - start


def main() -> None:
    measure(network(16, [16]))  # triggers numpy's lazy imports
    for name, (side, widths) in NETWORKS.items():
        artifact = network(side, widths)
        assert {k.state for k in measure(artifact).initialization} == {"fresh"}
        kernels = [t.source.values for t in artifact.tensors if len(t.shape) == 4]
        ours, plain = [], []
        for _ in range(RUNS):
            ours.append(cpu_seconds(measure, artifact))
            plain.append(cpu_seconds(written_out, kernels))
        weights = sum(t.size for t in artifact.tensors)
        print(
            f"{name}: {weights:,} weights, {min(ours):.3f} CPU s, "
            f"{min(ours) / min(plain):.1f} times the formula"
        )


if __name__ == "__main__":
    main()
