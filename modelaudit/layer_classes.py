"""The layer classes that Keras has shipped, from 1.0 to 3.15, and what is true of each.

Whatever depends on the class of a layer asks this table: `has("Dropout", Trait.DROPOUT)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class Trait:
    """Properties of layer classes, as bits. What random layers do is stated for inference."""

    SAME_SHAPE = 1 << 0  # the output has the shape of the first input
    POINTWISE = 1 << 1  # computes each position and channel by itself
    CHANNEL_NORMALISATION = 1 << 2  # normalises each position over its channels
    BATCH_NORMALISATION = 1 << 3  # normalises by statistics of the training batches
    AFFINE = 1 << 4  # one kernel, and a bias for each output channel
    LINEAR = 1 << 5  # the output is linear in the input, but for its activation
    KEEPS_RANGE = 1 << 6  # leaves the range of values as it is
    FEATURE_WEIGHTS = 1 << 7  # the shape of its weights depends on the last axis of the input
    RECTIFIER = 1 << 8  # an activation that is zero, or nearly, for negative values
    DROPOUT = 1 << 9  # drops at random in training, with a `rate`
    NOISE = 1 << 10  # adds noise in training
    AUGMENTATION = 1 << 11  # transforms images at random in training
    RESCALING = 1 << 12  # scales inputs by constants
    RESIZING = 1 << 13  # gives images of a fixed size
    CONVOLUTION = 1 << 14  # slides a kernel along one to three axes
    LOCAL_POOLING = 1 << 15  # reduces each window of a map
    GLOBAL_POOLING = 1 << 16  # reduces a whole map
    ADAPTIVE_POOLING = 1 << 17  # reduces a map to a fixed size
    PADDING = 1 << 18  # adds or cuts off borders
    UPSAMPLING = 1 << 19  # repeats or interpolates positions
    MERGE = 1 << 20  # combines its inputs element by element
    BETWEEN_INPUTS = 1 << 21  # gives no value outside the range of its inputs
    ATTENTION = 1 << 22  # weighs positions by the similarity of their features
    SEQUENCE = 1 << 23  # takes (batch, time, features) or (batch, time) of indices
    RECURRENT = 1 << 24  # runs a cell along the time axis
    RECURRENT_CELL = 1 << 25  # one step of a recurrent layer
    CATEGORIES = 1 << 26  # turns each value into the index of its category
    VOCABULARY = 1 << 27  # looks words up in a table that it keeps
    TENSORFLOW_OPERATION = 1 << 28  # Keras 2's layer around an operation of TensorFlow
    MODEL = 1 << 29  # a model, whose config lists its layers
    KEEPS_MASK = 1 << 30  # passes the mask of its input on; recurrent ones, that of a sequence
    CLIPS_TO_RANGE = 1 << 31  # cuts all that it gives at the ends of its `value_range`


_NONE = 0
_POINTWISE = Trait.POINTWISE | Trait.SAME_SHAPE
_AT_REST = _POINTWISE | Trait.KEEPS_RANGE  # the identity at inference
_AUGMENTATION = Trait.AUGMENTATION | Trait.KEEPS_RANGE
_CLIPPED = _AUGMENTATION | Trait.SAME_SHAPE | Trait.CLIPS_TO_RANGE
_NORMALISATION = Trait.SAME_SHAPE | Trait.FEATURE_WEIGHTS

_TABLE: tuple[tuple[int, str], ...] = (
    (Trait.MODEL, "Sequential Functional Model"),
    (Trait.KEEPS_RANGE, "InputLayer Input"),
    # Dense layers and reshaping
    (Trait.FEATURE_WEIGHTS | Trait.LINEAR | Trait.AFFINE, "Dense"),
    (_NONE, "EinsumDense MaxoutDense Lambda"),
    (Trait.SAME_SHAPE, "Highway"),
    (Trait.SEQUENCE, "Embedding ReversibleEmbedding"),
    (Trait.KEEPS_RANGE, "Flatten Reshape Permute RepeatVector"),
    # Activations
    (_POINTWISE, "Activation ELU Softmax ThresholdedReLU ParametricSoftplus SReLU"),
    (_POINTWISE | Trait.RECTIFIER, "ReLU LeakyReLU"),
    (_POINTWISE | Trait.FEATURE_WEIGHTS, "PReLU"),
    # The identity at inference
    (_AT_REST, "Identity Masking ActivityRegularization"),
    (_AT_REST | Trait.DROPOUT, "Dropout GaussianDropout AlphaDropout"),
    (_AT_REST | Trait.DROPOUT, "SpatialDropout1D SpatialDropout2D SpatialDropout3D"),
    (_AT_REST | Trait.NOISE, "GaussianNoise"),
    # Normalization
    (_NORMALISATION | Trait.POINTWISE | Trait.BATCH_NORMALISATION, "BatchNormalization"),
    (_NORMALISATION | Trait.CHANNEL_NORMALISATION, "LayerNormalization RMSNormalization"),
    (Trait.SAME_SHAPE | Trait.CHANNEL_NORMALISATION, "UnitNormalization"),
    (_NORMALISATION, "GroupNormalization"),
    (_NONE, "SpectralNormalization"),
    (_POINTWISE | Trait.RESCALING, "Rescaling"),
    (_POINTWISE | Trait.RESCALING | Trait.FEATURE_WEIGHTS, "Normalization"),
    # Convolutions
    (Trait.CONVOLUTION | Trait.SEQUENCE | Trait.AFFINE, "Conv1D"),
    (Trait.CONVOLUTION | Trait.AFFINE, "Conv2D Conv3D"),
    (Trait.CONVOLUTION | Trait.SEQUENCE, "SeparableConv1D DepthwiseConv1D"),
    (Trait.CONVOLUTION | Trait.SEQUENCE, "Conv1DTranspose LocallyConnected1D"),
    (Trait.CONVOLUTION, "SeparableConv2D DepthwiseConv2D Conv2DTranspose"),
    (Trait.CONVOLUTION, "LocallyConnected2D Conv3DTranspose"),
    # Pooling, borders and sizes
    (Trait.LOCAL_POOLING, "MaxPooling1D MaxPooling2D MaxPooling3D"),
    (Trait.LOCAL_POOLING | Trait.LINEAR, "AveragePooling1D AveragePooling2D AveragePooling3D"),
    (Trait.GLOBAL_POOLING, "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D"),
    (Trait.GLOBAL_POOLING | Trait.LINEAR, "GlobalAveragePooling1D GlobalAveragePooling2D"),
    (Trait.GLOBAL_POOLING | Trait.LINEAR, "GlobalAveragePooling3D"),
    (Trait.ADAPTIVE_POOLING, "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D"),
    (Trait.ADAPTIVE_POOLING, "AdaptiveAveragePooling1D AdaptiveAveragePooling2D"),
    (Trait.ADAPTIVE_POOLING, "AdaptiveAveragePooling3D"),
    (Trait.PADDING | Trait.KEEPS_RANGE, "ZeroPadding1D ZeroPadding2D ZeroPadding3D"),
    (Trait.PADDING | Trait.KEEPS_RANGE, "Cropping1D Cropping2D Cropping3D"),
    (Trait.UPSAMPLING | Trait.KEEPS_RANGE, "UpSampling1D UpSampling2D UpSampling3D"),
    (Trait.RESIZING | Trait.KEEPS_RANGE, "Resizing CenterCrop"),
    # Augmentation
    (_AUGMENTATION | Trait.RESIZING, "RandomCrop"),
    (_AUGMENTATION, "RandomHeight RandomWidth RandomGrayscale CutMix MixUp"),
    (_AUGMENTATION | Trait.SAME_SHAPE, "RandomFlip RandomRotation RandomTranslation RandomZoom"),
    (_AUGMENTATION | Trait.SAME_SHAPE, "RandomShear RandomPerspective RandomElasticTransform"),
    (_CLIPPED, "RandomBrightness RandomContrast RandomSharpness RandomGaussianBlur"),
    (_AUGMENTATION | Trait.SAME_SHAPE, "RandomHue RandomErasing RandomSaturation"),
    (_AUGMENTATION | Trait.SAME_SHAPE, "RandomInvert RandomColorJitter RandomPosterization"),
    (_AUGMENTATION | Trait.SAME_SHAPE, "RandomColorDegeneration RandAugment AugMix"),
    (Trait.SAME_SHAPE, "AutoContrast Equalization Solarization"),
    (_NONE, "ContrastLimitedAdaptiveHistogramEqualization MaxNumBoundingBoxes Pipeline"),
    # Merging
    (Trait.MERGE | Trait.LINEAR, "Add Subtract"),
    (Trait.MERGE | Trait.LINEAR | Trait.BETWEEN_INPUTS, "Average"),
    (Trait.MERGE, "Multiply"),
    (Trait.MERGE | Trait.BETWEEN_INPUTS, "Maximum Minimum"),
    (Trait.LINEAR | Trait.BETWEEN_INPUTS, "Concatenate"),
    (_NONE, "Dot Merge"),
    # Recurrent layers and wrappers
    (Trait.SEQUENCE | Trait.RECURRENT, "SimpleRNN GRU LSTM RNN CuDNNGRU CuDNNLSTM"),
    (Trait.SEQUENCE, "Bidirectional"),
    (Trait.RECURRENT_CELL, "SimpleRNNCell GRUCell LSTMCell"),
    (_NONE, "StackedRNNCells AbstractRNNCell"),
    (Trait.RECURRENT, "ConvLSTM1D ConvLSTM2D ConvLSTM3D"),
    (_NONE, "TimeDistributed Wrapper"),
    # Attention
    (Trait.SAME_SHAPE | Trait.ATTENTION, "GroupQueryAttention"),
    (Trait.ATTENTION, "Attention AdditiveAttention MultiHeadAttention"),
    # Categories, text and sound
    (Trait.CATEGORIES | Trait.VOCABULARY, "StringLookup IntegerLookup"),
    (Trait.CATEGORIES, "Hashing Discretization"),
    (Trait.VOCABULARY, "TextVectorization"),
    (_NONE, "CategoryEncoding HashedCrossing DenseFeatures SequenceFeatures"),
    (_NONE, "MelSpectrogram STFTSpectrogram"),
    # Code of other libraries
    (Trait.TENSORFLOW_OPERATION, "TFOpLambda SlicingOpLambda TensorFlowOpLayer"),
    (_NONE, "ClassMethod InstanceMethod InstanceProperty"),
    (_NONE, "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper"),
    (Trait.SAME_SHAPE, "AddLoss AddMetric"),
)

ALIASES: Mapping[str, str] = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "GroupedQueryAttention": "GroupQueryAttention",
    "TimeDistributedDense": "Dense",
}
"""Other names of a class: of an earlier version, or a second one."""

TAKES_ANY_VALUE = frozenset(
    ("Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization")
)
"""Layers that Keras 3 lets a program give by position what is no tensor."""

OWN_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""The name that a class has in the code of Keras, where configs have the name of its export."""

_KEEP_MASKS = (
    "InputLayer Dense Activation ELU Softmax ThresholdedReLU ReLU LeakyReLU PReLU "
    "ActivityRegularization Dropout GaussianDropout AlphaDropout SpatialDropout1D "
    "SpatialDropout2D SpatialDropout3D GaussianNoise BatchNormalization LayerNormalization "
    "UnitNormalization GroupNormalization Add Subtract Average Multiply Maximum Minimum "
    "Concatenate SimpleRNN GRU LSTM RNN CuDNNGRU CuDNNLSTM ConvLSTM1D ConvLSTM2D ConvLSTM3D "
    "Bidirectional TimeDistributed Attention AdditiveAttention MultiHeadAttention"
)

AUGMENTS: Mapping[str, tuple[str, ...]] = {
    "rotation": ("RandomRotation", "RandAugment"),
    "shear": ("RandomShear", "RandomPerspective", "RandAugment"),
    "shift": ("RandomTranslation", "RandomCrop", "RandAugment"),
    "translation": ("RandomTranslation", "RandomCrop", "RandAugment"),
    "zoom": ("RandomZoom", "RandomHeight", "RandomWidth"),
    "brightness": ("RandomBrightness", "RandomColorJitter", "RandAugment"),
    "contrast": ("RandomContrast", "RandomColorJitter", "RandAugment"),
    "hue": ("RandomHue", "RandomColorJitter"),
    "blur": ("RandomGaussianBlur",),
    "noise": ("GaussianNoise",),
    "occlusion": ("RandomErasing",),
}
"""Layers that train a model on inputs changed in this way (`behaviour.sensitivity`)."""

_OWN = {
    name: traits | (Trait.KEEPS_MASK if name in _KEEP_MASKS.split() else _NONE)
    for traits, names in _TABLE
    for name in names.split()
}
LAYER_CLASSES: Mapping[str, int] = {
    **_OWN,
    **{alias: _OWN[name] for alias, name in ALIASES.items()},
}
"""Class name, or other name of a class -> its traits."""

_RANK = re.compile(r"([123])D")


def has(class_name: str, traits: int) -> bool:
    """Whether the class has any of the traits; a class of somebody's own has none."""
    return bool(LAYER_CLASSES.get(class_name, _NONE) & traits)


# Layers with weights whose shapes have nothing to do with the last axis of their input.
OTHER_WEIGHTS = frozenset(("EinsumDense", "Embedding", "ReversibleEmbedding"))
# Classes of which each weight is called kernel or bias.
KERNEL_AND_BIAS = frozenset(
    ("Dense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
)
# Of `keras.layers.experimental` of Keras 2, whose `load_model` does not find them by their names.
EXPERIMENTAL = frozenset(("RandomFourierFeatures", "DynamicEmbedding", "DynamicLookup"))


def augments(class_name: str) -> bool:
    """Whether the class is an augmentation layer, or by its name a subclass of one."""
    named = class_name.startswith("Random") and class_name not in EXPERIMENTAL
    return has(class_name, Trait.AUGMENTATION) or named


def classes(traits: int) -> frozenset[str]:
    """The names of all classes that have any of the traits."""
    return frozenset(name for name, own in LAYER_CLASSES.items() if own & traits)


def spatial_rank(class_name: str) -> int:
    """2 for Conv2D and so on; 0 where the class name has no such digit."""
    found = _RANK.search(class_name)
    return int(found.group(1)) if found else 0
