"""Does the restored model hold, byte for byte, what the file stores?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from modelaudit.facts import Artifact
from modelaudit.probe.protocol import Observation, Status


@dataclass(frozen=True, slots=True)
class RestoreProof:
    """Stored weights against the variables of one restored model.

    `missing` are stored tensors whose bytes no variable holds, `unexpected` variables whose bytes
    no stored tensor has; `compared` is the number of stored weights.
    """

    runtime: str
    call: str
    compared: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def identical(self) -> int:
        """Stored weights that the restored model holds."""
        return self.compared - len(self.missing)


def restore_proof(artifact: Artifact, observations: Sequence[Observation]) -> RestoreProof | None:
    """Compare the first model that was restored; None where there is nothing to compare.

    Tensors are matched by digest: one digest stands for one (dtype, bytes).
    """
    loaded = [o for o in observations if o.status is Status.LOADED and o.variables]
    stored = [t for t in artifact.tensors if t.role == "weight" and t.sha256]
    if not loaded or not stored:
        return None
    observation = loaded[0]
    held = Counter(variable.sha256 for variable in observation.variables)
    wanted = Counter(tensor.sha256 for tensor in stored)
    return RestoreProof(
        runtime=observation.runtime,
        call=observation.call,
        compared=len(stored),
        missing=tuple(t.name for t in stored if t.sha256 and held[t.sha256] < wanted[t.sha256]),
        unexpected=tuple(v.path for v in observation.variables if v.sha256 not in wanted),
    )
