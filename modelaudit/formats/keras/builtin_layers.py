"""Names of the operations of Keras 3, and which objects in a config Keras itself has shipped."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelaudit.facts import Json, Layer
from modelaudit.layer_classes import LAYER_CLASSES, OWN_NAMES


def words(names: str) -> frozenset[str]:
    """The set of whitespace-separated names in `names`."""
    return frozenset(names.split())


OPERATIONS = words(
    """
    Abs Absolute AdaptiveAveragePool AdaptiveMaxPool Add AffineTransform All AllClose Amax Amin
    Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin
    Argpartition Argsort Array ArraySplit AssociativeScan Average AveragePool BatchNorm
    BinaryCrossentropy Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor BroadcastTo CDist CTCDecode CTCLoss Cast
    CategoricalCrossentropy Cbrt Ceil Celu Cholesky CholeskyInverse Clip Concatenate Cond Conj
    Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef Correlate Cos Cosh CountNonzero
    CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace DepthwiseConv Det Diag Diagflat
    Diagonal Diff Digitize Divide DivideNoNan Dot DotProductAttention Dsplit Dstack Eig Eigh
    Einsum ElasticTransform Elu EmptyLike Equal Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1
    ExtractPatches ExtractSequences FFT FFT2 Fabs Flip Fliplr Flipud Floor FloorDivide Fmax Fmin
    Fmod Fold ForiLoop Full FullLike GaussianBlur Gcd Gelu Geomspace GetItem Glu Greater
    GreaterEqual HSVToRGB HardShrink HardSigmoid HardSilu HardTanh Heaviside Histogram Hsplit
    Hstack Hypot I0 IFFT2 IRFFT ISTFT Imag InTopK Inner Inv IsIn Isclose Isfinite Isinf Isnan
    Isneginf Isposinf Isreal JVP Kron LayerNorm Lcm Ldexp LeakyRelu LeftShift Less LessEqual
    Linspace Log Log10 Log1p Log2 LogSigmoid LogSoftmax Logaddexp Logaddexp2 Logdet LogicalAnd
    LogicalNot LogicalOr LogicalXor Logspace Logsumexp Lstsq LuFactor Map MapCoordinates Matmul
    MatrixRank Max MaxPool Maximum Mean Median Meshgrid Min Minimum Mod Moments Moveaxis
    MultiHot Multiply NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian
    Nanmin Nanpercentile Nanprod Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter
    Nonzero Norm Normalize NotEqual OneHot OnesLike Outer PSNR Pad PadImages Percentile
    PerspectiveTransform Pinv Polar Power Prod Ptp Qr Quantile RFFT RGBToGrayscale RGBToHSV
    RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat Reshape Resize RightShift
    Roll Rot90 Round Rsqrt SSIM STFT SVD SaturateCast ScaleAndTranslate Scan Scatter
    ScatterUpdate SearchSorted SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum
    Select Selu SeparableConv Sigmoid Sign Signbit Silu Sin Sinc Sinh Size Slice SliceUpdate
    Slogdet SobelEdges SoftShrink Softmax Softplus Softsign Solve SolveTriangular Sort
    SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Split Sqrt
    Square Squareplus Squeeze Stack Std StopGradient Subtract Sum Swapaxes Switch Take
    TakeAlongAxis Tan Tanh TanhShrink Tensordot Threshold Tile TopK Trace Transpose Trapezoid
    Tril Triu TrueDivide Trunc Unfold Unique UnravelIndex Unstack Vander Var Vdot VectorizedMap
    View ViewAsComplex ViewAsReal Vsplit Vstack Where WhileLoop ZerosLike
    """
)
"""Classes of Keras 3 operations, as saved for `keras.ops.relu(x)` in a functional model."""

_BUILT_IN_PACKAGES = ("keras", "tf_keras", "tensorflow")


def is_operation(class_name: str, module: str | None, config: Mapping[str, Json]) -> bool:
    """Whether this is a Keras 3 operation (`keras.ops.relu(x)` in a functional model).

    HDF5 files do not save the module. Without it, an operation is recognised by a config without
    `trainable` and `dtype`, which the config of every layer has.
    """
    if module is not None:
        return module.startswith("keras.src.ops.") or module == "keras.ops"
    return class_name in OPERATIONS and "trainable" not in config and "dtype" not in config


def is_custom(
    class_name: str, module: str | None, registered_name: str | None, config: Mapping[str, Json]
) -> bool:
    """Whether loading needs a class that is not part of Keras.

    A class is custom if the config gives another module or package, or if its name is unknown,
    whatever module the config gives.
    """
    if module and module.split(".")[0] not in _BUILT_IN_PACKAGES:
        return True
    if registered_name and ">" in registered_name:
        return True
    if is_operation(class_name, module, config):
        return class_name not in OPERATIONS
    return class_name not in LAYER_CLASSES


def container_name(layer: Layer) -> str:
    """How an archive of Keras 3 calls the weights of the first layer of this class."""
    name = layer.class_name.rpartition(">")[2]
    return snake_case(name if layer.custom else OWN_NAMES.get(name, name))


def snake_case(class_name: str) -> str:
    """Keras's snake-case name of a class, for weight containers and unnamed layers."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def without_number(name: str) -> str:
    """`dense` of `dense_12`: the name that Keras makes of a class, without the layer's number."""
    return name.rstrip("0123456789").rstrip("_")


def made_of(name: str) -> tuple[str, str]:
    """What classes may be called in snake case of which Keras makes a name, as `block1_2`.

    Keras puts a number behind all but the first of a class, and the class may end in one.
    """
    return name, re.sub(r"_[0-9]+\Z", "", name)
