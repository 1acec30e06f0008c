"""The restore proof: compares every stored tensor with the restored model's variables."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.facts import Artifact
from modelaudit.probe.protocol import Observation
from modelaudit.restore.compare import compare
from modelaudit.restore.layers import LayerDifference, compare_layers
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.weight_sources import Fetch, restored_weights, stored_weights
from modelaudit.structs import replace

# Dtypes of strings: TensorFlow's, and that of the arrays in which its values are read.
STRINGS = ("string", "object")


class RestoreProof(Struct, frozen=True):
    """What one runtime restored, compared with the file. `WeightComparison` has the tensor names.

    `cast` are weights that the model stores in another dtype, with the values that the cast gives:
    this is what Keras does with a float16 file, not a fault of the restore. `layers` are the
    differences between the restored architecture and the saved config of `layers_compared` layers.
    """

    runtime: str
    call: str
    comparison: WeightComparison
    cast: tuple[TensorDifference, ...] = ()
    layers: tuple[LayerDifference, ...] = ()
    layers_compared: int = 0

    @property
    def compared(self) -> int:
        """Weights in the file."""
        return self.comparison.compared

    @property
    def identical(self) -> int:
        """How many of these the restored model has byte for byte."""
        return self.comparison.identical

    @property
    def missing(self) -> tuple[str, ...]:
        """Stored weights that are in no variable."""
        return self.comparison.missing

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Variables whose bytes are not in the file."""
        return self.comparison.unexpected

    @property
    def differing(self) -> tuple[TensorDifference, ...]:
        """Stored weights that differ in the restored model."""
        return self.comparison.differing

    @property
    def faithful(self) -> bool:
        """Whether the model has all of the file's weights and no others."""
        return not (self.differing or self.missing or self.unexpected)

    def describe(self) -> str:
        """The differences, one line per weight; "" if there are none."""
        told = [str(each) for each in self.differing]
        told += [f"{name}: not in the restored model" for name in self.missing]
        told += [f"{path}: has no value in the file" for path in self.unexpected]
        return "\n".join(told)


def prove(
    artifact: Artifact, observation: Observation, fetch: Fetch | None = None
) -> RestoreProof | None:
    """Compare a restored model with its file; None where there is nothing to compare.

    Args:
        artifact: with the digests of its tensors.
        observation: of a model that was loaded, with its variables' digests.
        fetch: reads one variable's values by its path, to say what happened to it.
    """
    if observation.status is not Status.LOADED or not observation.variables or observation.refused:
        return None  # a session does not name its variables by objects
    stored = stored_weights(artifact)
    if not stored:
        return None
    found = compare(stored, restored_weights(artifact, observation.variables, fetch))
    # A tensor that is stored twice (exports hold a weight under two paths) is one variable.
    digests = {variable.sha256 for variable in observation.variables}
    twice = {weight.name for weight in stored if weight.sha256 in digests} & set(found.missing)
    # A variable that only the model holds, with the bytes of a stored tensor, is its copy.
    own = {tensor.sha256 for tensor in artifact.tensors if tensor.sha256}
    # Strings are names of assets or classes, which the program or an initializer assigns.
    copies = {v.path for v in observation.variables if v.sha256 in own or v.dtype in STRINGS}
    architecture = artifact.architecture if observation.layers else None
    layers, layers_compared = compare_layers(architecture, observation) if architecture else ((), 0)
    cast = tuple(each for each in found.differing if _is_cast(each))
    return RestoreProof(
        runtime=observation.runtime,
        call=observation.call,
        comparison=replace(
            found,
            identical=found.identical + len(twice),
            differing=tuple(each for each in found.differing if not _is_cast(each)),
            missing=tuple(name for name in found.missing if name not in twice),
            unexpected=tuple(path for path in found.unexpected if path not in copies),
        ),
        cast=cast,
        layers=layers,
        layers_compared=layers_compared,
    )


def _is_cast(difference: TensorDifference) -> bool:
    return difference.change is TensorChange.ALTERED and difference.how.startswith("cast-to-")
