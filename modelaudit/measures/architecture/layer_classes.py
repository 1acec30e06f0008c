"""What saved layer classes do, as far as the measures need to know."""

from __future__ import annotations

from modelaudit.facts import Layer, Shape

# Each position and channel by itself, at inference.
POINTWISE = frozenset(
    (
        "Activation",
        "ReLU",
        "LeakyReLU",
        "ELU",
        "PReLU",
        "ThresholdedReLU",
        "Softmax",
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
        "BatchNormalization",
        "BatchNormalizationV1",
        "SyncBatchNormalization",
        "Rescaling",
        "Normalization",
        "Identity",
        "Masking",
    )
)
# Each position by itself, over its channels.
CHANNEL_NORMALISATION = frozenset(("LayerNormalization", "UnitNormalization"))
MERGING = frozenset(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"))
GLOBAL_POOLING = frozenset(
    f"Global{kind}Pool{suffix}{rank}D"
    for kind in ("Average", "Max")
    for suffix in ("ing", "")
    for rank in (1, 2, 3)
)
LOCAL_POOLING = frozenset(
    f"{kind}Pool{suffix}{rank}D"
    for kind in ("Average", "Max")
    for suffix in ("ing", "")
    for rank in (1, 2, 3)
)
PADDING = frozenset(f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping") for rank in (1, 2, 3))
UPSAMPLING = frozenset(f"UpSampling{rank}D" for rank in (1, 2, 3))
AUGMENTATION = frozenset(
    (
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "RandomCrop",
        "RandomContrast",
        "RandomBrightness",
        "RandomHeight",
        "RandomWidth",
        "RandomShear",
        "RandomPerspective",
        "RandomHue",
        "RandomSaturation",
        "RandomSharpness",
        "RandomGrayscale",
        "RandomInvert",
        "RandomErasing",
        "RandomElasticTransform",
        "RandomGaussianBlur",
        "RandomColorJitter",
        "RandomColorDegeneration",
        "RandomPosterization",
        "RandAugment",
        "AugMix",
        "MixUp",
        "CutMix",
    )
)
RESCALING = frozenset(("Rescaling", "Normalization"))


def input_shape(layer: Layer) -> Shape | None:
    """What enters the network at a layer without sources: an InputLayer, or a first layer."""
    if layer.class_name == "InputLayer":
        return layer.output_shape
    return layer.input_shapes[0] if layer.input_shapes else None


def channels_first(layer: Layer) -> bool:
    """Whether the layer's config puts channels before the spatial axes (`th` in Keras 1)."""
    config = layer.config
    return config.get("data_format", config.get("dim_ordering")) in ("channels_first", "th")


def spatial_part(shape: Shape, first: bool) -> Shape:
    """The spatial sizes of a shape with a batch axis and a channel axis."""
    return shape[2:] if first else shape[1:-1]
