"""Which operations make results of which shape, compared with the shape functions of TensorFlow.

Of 1,910 operations of TensorFlow 2.21 each was given inputs of several shapes, and each input and
attribute of whole numbers several values, to see which of them the shape of the result follows.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.formats.keras.builtin_layers import words

SAME = words(
    """Identity Snapshot StopGradient PreventGradient EnsureShape Cast Enter RefEnter Switch
    RefSwitch Exit NextIteration CheckNumerics Neg Abs Exp Log Sqrt Rsqrt Square Relu Relu6 Elu Selu
    Sigmoid Tanh Softplus Softmax LogSoftmax Sin Cos Erf Floor Ceil Round Sign LogicalNot OnesLike
    ZerosLike Reverse ReverseV2 Cumsum Cumprod IsNan IsFinite MatrixBandPart MatrixInverse Cholesky
    Bitcast StringLower StringUpper StringStrip AsString EncodeBase64 FFT FFT2D FFT3D IFFT IFFT2D
    IFFT3D ComplexAbs Real Imag Conj Angle Roll InvertPermutation Acos Acosh AddN AdjustContrastv2
    AdjustHue AdjustSaturation Asin Asinh Atan Atanh BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0
    BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Betainc BiasAdd BiasAddV1
    Bucketize CheckNumericsV2 CheckPinned ClipByValue Copy CopyHost Cosh CumulativeLogsumexp
    DataFormatDimMap DataFormatVecPermute Dawsn DebugGradientIdentity DebugIdentity DebugIdentityV2
    DebugIdentityV3 DeepCopy Dequantize Digamma EluGrad Erfc Erfinv Expint Expm1 FFTND
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
    FakeQuantWithMinMaxVarsPerChannelGradient FresnelCos FresnelSin FusedBatchNorm
    FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3
    GuaranteeConst IFFTND InplaceAdd InplaceSub InplaceUpdate Inv InvGrad Invert IsInf LRN LRNGrad
    LeakyRelu LeakyReluGrad Lgamma Log1p MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MaxPoolGrad
    MaxPoolGradGrad MaxPoolGradGradWithArgmax MaxPoolGradV2 MaxPoolGradWithArgmax Ndtri
    PopulationCount QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
    QuantizeAndDequantizeV4Grad QuantizeV2 RandomIndexShuffle RandomShuffle Reciprocal
    ReciprocalGrad Relu6Grad ReluGrad ReverseSequence Rint RsqrtGrad SeluGrad SigmoidGrad Sinh
    SleepIdentityOp SoftplusGrad Softsign SoftsignGrad Spence SqrtGrad StatelessShuffle Tan TanhGrad
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
    TensorStridedSliceUpdate"""
)
BROADCAST = words(
    """Add AddV2 Sub Mul Div RealDiv FloorDiv FloorMod Mod Pow Maximum Minimum SquaredDifference Less
    LessEqual Greater GreaterEqual Equal NotEqual LogicalAnd LogicalOr Atan2 BitwiseAnd BitwiseOr
    BitwiseXor LeftShift RightShift SelectV2 MulNoNan DivNoNan Xdivy Xlogy Complex"""
)
MATRIX = words("MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3")
FOLDED = (
    SAME
    | BROADCAST
    | MATRIX
    | words("Prod Sum Max Min Pack Concat ConcatV2 StringJoin Reshape ExpandDims Squeeze")
)
# The shape of the result is the value of this input.
SHAPED: Mapping[str, int] = {
    **dict.fromkeys(
        words(
            """Fill Empty RandomUniform RandomStandardNormal TruncatedNormal RandomUniformInt
            StatelessRandomUniform StatelessRandomNormal StatelessRandomUniformV2
            StatelessRandomNormalV2 StatelessTruncatedNormal StatelessRandomUniformInt
            StatelessRandomUniformIntV2 StatelessTruncatedNormalV2 ParameterizedTruncatedNormal
            RandomGamma RandomPoissonV2 TensorArrayV2 TensorArrayV3 Conv2DBackpropInput
            Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput AvgPoolGrad AvgPool3DGrad
            StridedSliceGrad RaggedTensorToTensor StatelessRandomUniformFullInt
            StatelessRandomUniformFullIntV2 StatelessRandomGammaV2 ParallelConcat NonDeterministicInts
            StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV3
            StatelessRandomPoisson FractionalAvgPoolGrad"""
        ),
        0,
    ),
    **dict.fromkeys(
        words(
            """BroadcastTo Reshape TensorListReserve SparseToDense Conv2DBackpropFilter
            Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter ImageProjectiveTransformV2
            ImageProjectiveTransformV3 Bincount DecodePaddedRaw RandomCrop RFFT RFFT2D RFFT3D IRFFT IRFFT2D
            IRFFT3D QuantizedReshape"""
        ),
        1,
    ),
    **dict.fromkeys(
        words(
            """StatefulUniform StatefulStandardNormalV2 StatefulTruncatedNormal ScatterNd RaggedBincount
            SparseReduceSum SparseReduceMax StatefulRandomBinomial StatefulUniformFullInt StatefulUniformInt
            RaggedTensorToVariantGradient TensorListGetItem HistogramFixedWidth"""
        ),
        2,
    ),
    **dict.fromkeys(
        words("SparseBincount SparseFillEmptyRows SparseTensorDenseAdd CropAndResizeGradImage"), 3
    ),
}
# Rows of the result, which otherwise has the axes of the first input after its first.
ROWS = dict.fromkeys(
    words("UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd"), 2
)
ROWS |= dict.fromkeys(
    words(
        """SparseSegmentSumWithNumSegments SparseSegmentMeanWithNumSegments
        SparseSegmentSqrtNWithNumSegments SparseSegmentSumGrad SparseSegmentMeanGrad
        SparseSegmentSqrtNGrad"""
    ),
    3,
)
SEGMENTS = words("SegmentSum SegmentMax SegmentMin SegmentMean SegmentProd")
RESIZES = words(
    """ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea QuantizedResizeBilinear
    ScaleAndTranslate ExtractGlimpse ExtractGlimpseV2 ResizeNearestNeighborGrad"""
)

# As many elements, and other values.
COUNTED = words(
    """StringLength StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber
    RegexFullMatch StaticRegexFullMatch UnicodeScript RegexReplace UnicodeTranscode DecodeBase64"""
)
# Attributes whose numbers are the lengths of axes of the result.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        words(
            """AllCandidateSampler FixedUnigramCandidateSampler LearnedUnigramCandidateSampler
            LogUniformCandidateSampler ThreadUnsafeUnigramCandidateSampler UniformCandidateSampler"""
        ),
        ("num_sampled",),
    ),
    **dict.fromkeys(words("FakeParam TemporaryVariable"), ("shape",)),
    **dict.fromkeys(words("TopKUnique TopKWithUnique"), ("k",)),
    "AudioMicrofrontend": ("num_channels",),
    "AudioSpectrogram": ("window_size",),
    "DecodeWav": ("desired_samples", "desired_channels"),
    "ExtractVolumePatches": ("ksizes",),
    "GenerateBoundingBoxProposals": ("post_nms_topn",),
    "Mfcc": ("dct_coefficient_count",),
    "MutableDenseHashTable": ("initial_num_buckets",),
    "MutableDenseHashTableV2": ("initial_num_buckets",),
    "AnonymousMutableDenseHashTable": ("initial_num_buckets",),
}
