"""What a repair did, and what proves it: the content of `repair.json`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from modelaudit.audit_types.loading import Agreement
from modelaudit.audit_types.values import Count
from modelaudit.thresholds.restoration import GAIN_BY_CHANCE

VERSION = "1.0"
SUFFIX = ".repair.json"


class RepairStatus(StrEnum):
    """The outcome of a repair."""

    REPAIRED = "repaired"
    """A new file was written, and it is proven."""
    NOT_NEEDED = "not-needed"
    """The target loads the file as it is."""
    REFUSED = "refused"
    """It holds something that must not be, or cannot be, carried over."""
    UNPROVEN = "unproven"
    """A new file could be made, but it is not the same model; nothing was written."""


class RepairWay(StrEnum):
    """How the new file was made, least invasive first."""

    TRANSLATED = "translated"
    """The saved config was translated; the stored weights are copied."""
    CONVERTED = "converted"
    """The translated model was loaded in the target's Keras and saved there in another format."""
    RESAVED = "resaved"
    """The model was loaded in its own generation of Keras and saved there, then translated."""


class RepairChange(Struct, frozen=True):
    """One difference between the original and the new file."""

    what: str
    """What was done, as a clause in the past tense."""
    layer: str = ""
    """Route of the first layer; empty for the model."""
    layers: Count = 1
    """Number of layers with this change."""


class RepairProof(Struct, frozen=True):
    """What was compared between the original and the new file."""

    tensors: Count
    """Number of weights in the original."""
    tensors_equal: Count
    """Number of these that the new file holds byte for byte."""
    layers: Count
    """Number of layers in the original."""
    layers_equal: Count
    """Number of these that the new file has under the same route with the same class."""
    tensors_scaled: Count = 0
    """Number of weights that the new file holds with the gates scaled as `changes` says."""
    layers_replaced: Count = 0
    """Number of layers that have another class, or are left out, as `changes` says."""
    restored_in: str = ""
    """Runtime that loaded the new file; empty if none could be used."""
    restored: Count = 0
    """Number of weights of the new file that the loaded model holds byte for byte."""
    predicted: str = ""
    """What the target does with the new file by its profile, where the target is not installed."""
    outputs: Agreement | None = None
    """Outputs of the new file in `restored_in` against those of the original in `reference`."""
    why_no_outputs: str = ""
    """Why there are none."""
    golden_outputs: Count = 0
    """Number of outputs of the original's golden record that the new file reproduces."""
    why_no_golden: str = ""
    """Why that record was not compared; empty without one."""


class LabelledEffect(Struct, frozen=True):
    """The effect of a change on labelled inputs that played no part in making it."""

    calibrated_on: Count
    """Number of inputs that the change was computed from."""
    judged_on: Count
    """Number of other inputs, on which both were compared."""
    right_before: Count
    """How many of these got their class before."""
    right_after: Count
    """How many got their class after."""
    p_value: float
    """Probability of at least this gain by chance, if neither is better (exact McNemar test)."""

    @property
    def better(self) -> bool:
        """Whether more inputs are right than chance explains."""
        return self.right_after > self.right_before and self.p_value < GAIN_BY_CHANCE.value


class RenamedClasses(Struct, frozen=True):
    """Names of the classes in the order of the outputs, written beside the new file."""

    file: str
    """Name of the file with them."""
    names: tuple[str, ...]
    """The names, one for each output."""
    before: tuple[str, ...]
    """The names in the order in which they were found."""
    effect: LabelledEffect
    """How many labelled inputs get the name of their class."""


class RepairedFile(Struct, frozen=True):
    """A model's file or directory."""

    path: str
    """Name, without its directory."""
    format: str
    """Format, as in audits."""
    sha256: str | None = None
    """Digest over its files, as in audits."""
    keras: str | None = None
    """Version of Keras that the file states."""


class Repair(Struct, frozen=True):
    """The repair of one saved model.

    Keys may be added in a minor version; none is renamed or removed without a major one.
    """

    path: str
    """Path of the original as given."""
    target: str
    """Runtime that the new file is for."""
    status: RepairStatus
    """The outcome."""
    original: RepairedFile | None = None
    """The original."""
    repaired: RepairedFile | None = None
    """The new file; null if none was written."""
    out: str = ""
    """Path of the new file; empty if none was written."""
    way: RepairWay | None = None
    """How it was made."""
    changes: tuple[RepairChange, ...] = ()
    """Differences between the two."""
    proof: RepairProof | None = None
    """What was compared, before any recalibration."""
    recalibration: LabelledEffect | None = None
    """The effect of new moving statistics; null if they are those of the original."""
    renamed_classes: RenamedClasses | None = None
    """Class names in another order; null if none were asked for."""
    reason: str = ""
    """Why no file was written."""
    version: str = VERSION
    """Version of this layout."""
    tool: str = ""
    """Version of modelaudit."""
