"""What gradual changes of the inputs cost, and which augmentation follows from it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from modelaudit.audit_types.values import Count, Real, Share

AugmentationState: TypeAlias = Literal[
    "missing", "insufficient", "effective", "unneeded", "undecided"
]


class SensitivityPoint(Struct, frozen=True, kw_only=True):
    """What inputs changed to one degree do to the output."""

    strength: Real
    """How much they are changed, in the curve's unit; half of them up and half of them down."""
    n: Count
    """Number of inputs."""
    agreement: Share | None = None
    """Share of inputs whose class stays the same; null for outputs without classes."""
    agreement_ci: tuple[Share, Share] | None = None
    """95 % interval of `agreement` (Wilson)."""
    sure: Count = 0
    """Number of decisions that the model is sure of for the inputs as given: their probability is
    at least 0.9, or they are the more probable half; 0 for outputs without classes."""
    sure_changed: Share | None = None
    """Share of these whose class changes; null for outputs without classes."""
    variation: Real | None = None
    """Squared change of the output, relative to that between two inputs; null under collapse."""
    score: Real | None = None
    """Accuracy or R² on labels; null without labels."""
    lost: float | None = None
    """Score on the same inputs as given, less `score`; null without labels."""
    lost_ci: tuple[float, float] | None = None
    """95 % interval of `lost` for an accuracy (paired; Agresti and Min, 2005)."""
    p: Share | None = None
    """P value that labels are met as well (McNemar; Wilcoxon for targets); null without labels."""


class SensitivityCurve(Struct, frozen=True, kw_only=True):
    """What one kind of change does to one output, by its strength."""

    output: str
    """The output."""
    change: str
    """rotation, shear, shift, translation, zoom, brightness, contrast, hue, blur, noise, occlusion;
    shift, stretch and amplitude of series; `column 3` for the scale of that column of a table."""
    unit: str
    """Unit of the strength: °, px, or a share of something; empty for a factor."""
    moderate: Real
    """The strength that decides."""
    measure: str = ""
    """accuracy or R2; empty without labels."""
    given: Real | None = None
    """The score on the inputs as given; null without labels."""
    confidence: Share | None = None
    """Median probability of the decisions on the inputs as given; null without classes."""
    points: tuple[SensitivityPoint, ...] = ()
    """What was measured, by strength."""
    control: SensitivityPoint | None = None
    """A change of the same Euclidean norm at the moderate strength that is no such transform; null
    if it was not measured."""
    confusion: tuple[Count, Count, Share] | None = None
    """The commonest change of class at the moderate strength (from, to), and its share of all
    changes of class; null if fewer than ten predictions changed."""

    @property
    def judged(self) -> SensitivityPoint | None:
        """The point at the strength that decides."""
        return next((each for each in self.points if each.strength == self.moderate), None)


class AugmentationNeed(Struct, frozen=True, kw_only=True):
    """Whether the output is sensitive to one kind of change that augmentation teaches to ignore."""

    change: str
    """The kind of change, as in `behaviour.sensitivity`; or `left-right flip` and `up-down flip`,
    if the file has a layer for them."""
    state: AugmentationState
    """missing (the output is sensitive, and no layer of the file augments so), insufficient
    (although a layer does), effective (a layer does, and the output is robust), unneeded (robust
    without), or undecided."""
    text: str
    """What was measured, in words."""
    layer: str = ""
    """The layer of the file that augments in this way; empty if there is none."""
    code: str = ""
    """The Keras layer to add, with its range; empty if none is needed."""
    gain: float | None = None
    """Score that the change costs at the moderate strength, the most that augmentation can give
    back on such inputs; null without labels."""
    measure: str = ""
    """What the score is: accuracy or R2; empty without labels."""
    condition: str = ""
    """When it must not be added, because it may change the label."""
