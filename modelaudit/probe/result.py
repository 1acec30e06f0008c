"""The result of running a model."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.measures.summary import Behaviour
from modelaudit.probe.pair.model import ExportPair
from modelaudit.probe.protocol import Observation
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.restore.proof import RestoreProof


class ProbeResult(Struct, frozen=True):
    """Result of running a model.

    Attributes:
        observations: attempts in the installed runtimes, up to the first that loaded the model.
        behaviour: measurements on probe inputs; None if they failed.
        skipped: why there is no behaviour, or "".
        restore: comparison of the first loaded model with its file.
        golden: comparison with the golden record.
        elsewhere: attempts in all other runtimes.
        pair: an export and its source on the same inputs; None if they were not run so.
    """

    observations: tuple[Observation, ...]
    behaviour: Behaviour | None = None
    skipped: str = ""
    restore: RestoreProof | None = None
    golden: GoldenCheck | None = None
    elsewhere: tuple[Observation, ...] = ()
    pair: ExportPair | None = None
