"""The saved layer graph, and what it implies."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from modelaudit.audit_types.values import AuditSection, Count, OptionalSection
from modelaudit.facts import Dialect, Shape


class WindowGrid(Struct, frozen=True):
    """Does a windowed layer's sampling grid mirror onto itself, per spatial axis?"""

    route: str
    """The layer."""
    class_name: str
    """Its class."""
    size: tuple[int, ...]
    """Size of the input, per spatial axis."""
    kernel: tuple[int, ...]
    """Size of the window, per spatial axis."""
    strides: tuple[int, ...]
    """Strides, per spatial axis."""
    dilations: tuple[int, ...]
    """Dilation rates, per spatial axis."""
    padding: str
    """Padding, as the layer's config names it."""
    symmetric: tuple[bool, ...]
    """Whether the positions of the window mirror onto themselves, per spatial axis."""


class LayerField(Struct, frozen=True):
    """Receptive field of a layer, smallest and largest over all paths, per spatial axis."""

    route: str
    """The layer."""
    minimum: tuple[int, ...]
    """Size in input pixels over the path with the smallest field."""
    maximum: tuple[int, ...]
    """Size in input pixels over the path with the largest field."""
    jump: tuple[int, ...]
    """Distance between neighbouring output positions, in input pixels."""
    output_size: tuple[int | None, ...]
    """Size of the output; null where it is open."""
    border: bool = False
    """True if the layer adds no new pixels, because its predecessors see the whole input."""


class ArchitectureProfile(OptionalSection, frozen=True, kw_only=True):
    """What the saved architecture alone implies."""

    grids: tuple[WindowGrid, ...] = ()
    """Sampling grids of convolutions and pooling layers."""
    fields: tuple[LayerField, ...] = ()
    """Receptive fields, in execution order."""
    input_size: tuple[int | None, ...] = ()
    """Size of the input, per spatial axis; null where it is open."""
    augmentation: tuple[str, ...] = ()
    """Layers that augment images: RandomFlip, RandomRotation and the like."""
    rescaling: tuple[str, ...] = ()
    """Layers that change the value range of the input: Rescaling, Normalization, plain Lambdas."""
    head: str = ""
    """How the network ends: gap, flatten, spatial, dense or unknown."""
    total_stride: tuple[int, ...] = ()
    """Product of all strides, per spatial axis."""
    antialiased: bool = False
    """True if a layer blurs before it subsamples."""

    @property
    def empty(self) -> bool:
        """Whether nothing was measured."""
        return not self.head


class PortRow(AuditSection, frozen=True, kw_only=True):
    """An input or output of the saved model."""

    route: str
    """The layer."""
    shape: Shape | None = None
    """Shape, with null for open axes; null if it is unknown."""
    dtype: str | None = None
    """Data type; null if the file does not state it."""


class LayerRow(AuditSection, frozen=True, kw_only=True):
    """One layer of the saved model."""

    route: str
    """Path of the layer from the model's root."""
    name: str = ""
    """Name of the layer."""
    class_name: str = field(name="class")
    """Keras class of the layer."""
    module: str | None = None
    """Module of the class; null if the file does not state it."""
    config_digest: str
    """Digest of the layer's config without the ids of shared objects."""
    params: Count
    """Number of parameters."""
    input_shapes: tuple[Shape, ...] = ()
    """Shape of each input; the first axis is the batch."""
    output_shape: Shape | None = None
    """Shape of the output; the first axis is the batch, null stands for an open size."""
    inbound: tuple[tuple[str, ...], ...] = ()
    """Layers whose outputs it takes, one list for each call."""
    trainable: bool = True
    """Whether training changes it."""
    variables: tuple[str, ...] = ()
    """Roles of its variables: kernel, bias and the like."""
    custom: bool = False
    """True if the class is not one of Keras."""
    is_model: bool = False
    """True for a nested model."""


class ArchitectureSection(OptionalSection, frozen=True, kw_only=True):
    """Layers and their shapes, as the file states them; `{}` if it holds no architecture."""

    class_name: str = field(name="class", default="")
    """Keras class of the model."""
    name: str = ""
    """Name of the model."""
    dialect: Dialect | UnsetType = UNSET
    """Generation of Keras whose config this is."""
    file: str | UnsetType = UNSET
    """File that it was read from, if that is not part of the model."""
    inputs: tuple[PortRow, ...] = ()
    """Inputs of the model."""
    outputs: tuple[PortRow, ...] = ()
    """Outputs of the model."""
    params: Count = 0
    """Number of parameters."""
    layers: tuple[LayerRow, ...] = ()
    """All layers in execution order; those of nested models follow their model."""
    profile: ArchitectureProfile = ArchitectureProfile()
    """Receptive fields, augmentation and how the network ends; `{}` if it was not measured."""

    @property
    def empty(self) -> bool:
        """Whether the file holds no architecture."""
        return self.dialect is UNSET
