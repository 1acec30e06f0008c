"""TensorFlow operations that reach outside the graph, grouped by what they do."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.findings import Severity
from modelaudit.rules.model import RuleTexts


class OpThreat(RuleTexts, frozen=True, kw_only=True):
    """Operations that do the same thing, and the texts of the rule about them.

    `operations` maps names to positions of the inputs that name the target (a path, an address).
    """

    does: str
    operations: Mapping[str, tuple[int, ...]]


def _at(position: int, names: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(names.split(), (position,))


_NO_SERVE = (
    "Do not load or serve it. No classifier needs this operation; ask the author for an export of "
    "the prediction function only."
)
_POLICY = "https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md"

THREATS = (
    OpThreat(
        "MA740",
        "graph-writes-file",
        Severity.CRITICAL,
        "The graph writes files",
        "The graph writes no file",
        "Calling the model, or merely loading it, writes to the disk of the user who does so, with "
        "that user's permissions, for example over a start-up script.",
        _NO_SERVE,
        (_POLICY,),
        does="writes a file",
        operations={**_at(0, "WriteFile"), **_at(1, "SaveDataset SaveDatasetV2 DistributedSave")}
        | _at(1, "DatasetToTFRecord ExperimentalDatasetToTFRecord")
        | dict.fromkeys(("DumpTensor", "CalibrationStatisticsSaver"), ()),
    ),
    OpThreat(
        "MA741",
        "graph-reads-file",
        Severity.HIGH,
        "The graph reads files",
        "The graph reads no file",
        "The model can leak one of its user's files, for example a private key, through its "
        "outputs. A path may also be an address: TensorFlow opens gs:// and similar addresses like "
        "files.",
        _NO_SERVE,
        (_POLICY,),
        does="reads a file",
        operations={**_at(0, "ReadFile"), "ImmutableConst": ()},
    ),
    OpThreat(
        "MA742",
        "graph-lists-files",
        Severity.HIGH,
        "The graph lists files",
        "The graph lists no files",
        "The names of files on the machine can leak through the model's outputs, or tell the model "
        "what to read next.",
        _NO_SERVE,
        does="lists files",
        operations=_at(0, "MatchingFiles MatchingFilesDataset ExperimentalMatchingFilesDataset"),
    ),
    OpThreat(
        "MA743",
        "graph-prints-to-file",
        Severity.HIGH,
        "The graph prints to a file",
        "The graph prints to no file",
        "A print operation with `file://` as its stream appends to that file on the machine that "
        "runs the model. Printing to the terminal is harmless and not reported.",
        "Export the model without `tf.print(..., output_stream=...)`.",
        does="prints to a file",
        operations={"PrintV2": ()},
    ),
    OpThreat(
        "MA744",
        "python-callback",
        Severity.MEDIUM,
        "The graph calls a Python function that is not in the file",
        "The graph calls no Python function",
        "The operation names a function of the process that saved the model. In any other process "
        "the function is missing and the model fails. This is an incompatibility rather than an "
        "attack.",
        "Export the prediction function only, without the input pipeline, which calls Python in "
        "`tf.data.Dataset.from_generator` too. In the model itself, replace `tf.py_function` and "
        "`tf.numpy_function` with TensorFlow operations, and export it again.",
        does="calls Python",
        operations=dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc"), ()),
    ),
    OpThreat(
        "MA745",
        "graph-reads-dataset",
        Severity.HIGH,
        "The graph reads datasets from files",
        "The graph reads no dataset from files",
        "An input pipeline inside a model opens files of the user who runs it. Pipelines belong in "
        "training code, not in an export.",
        _NO_SERVE,
        does="reads files as a dataset",
        operations=_at(
            0,
            """TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset
            FixedLengthRecordDatasetV2 CSVDataset CSVDatasetV2 ExperimentalCSVDataset LMDBDataset
            ExperimentalLMDBDataset LoadDataset SnapshotDatasetReader ListSnapshotChunksDataset
            SnapshotChunkDataset""",
        )
        | _at(1, "SnapshotDataset SnapshotDatasetV2 CacheDataset CacheDatasetV2 SqlDataset")
        | _at(1, "ExperimentalSqlDataset")
        | dict.fromkeys(
            [
                "WholeFileReader",
                "WholeFileReaderV2",
                "TextLineReader",
                "TextLineReaderV2",
                "TFRecordReader",
                "TFRecordReaderV2",
                "FixedLengthRecordReader",
                "FixedLengthRecordReaderV2",
                "LMDBReader",
                "IdentityReader",
                "IdentityReaderV2",
                "RecordInput",
                "SnapshotNestedDatasetReader",
            ],
            (),
        ),
    ),
    OpThreat(
        "MA746",
        "checkpoint-outside-saver",
        Severity.HIGH,
        "The graph saves or restores checkpoints outside its saver",
        "Only the model's saver saves and restores checkpoints",
        "Every SavedModel has a saver that restores its own variables. This operation is not part "
        "of it: calling the model reads or writes other checkpoint files, and MergeV2Checkpoints "
        "can delete directories.",
        _NO_SERVE,
        does="saves or restores a checkpoint",
        operations=_at(
            0,
            """SaveV2 Save SaveSlices RestoreV2 Restore RestoreSlice MergeV2Checkpoints
            CheckpointHasKey DTensorRestoreV2""",
        ),
    ),
    OpThreat(
        "MA747",
        "table-from-path",
        Severity.HIGH,
        "A lookup table is initialised from a file that is not an asset of the model",
        "Lookup tables are initialised only from the model's own assets",
        "Vocabularies are distributed as assets inside the SavedModel. This one is read from a "
        "path on the machine that loads the model, and its lines can be read back from the table.",
        "Export the model with the vocabulary as an asset (`tf.saved_model.Asset`, or a text file "
        "initializer that the model tracks).",
        does="initialises a lookup table from a file",
        operations=_at(1, "InitializeTableFromTextFile InitializeTableFromTextFileV2"),
    ),
    OpThreat(
        "MA748",
        "graph-reads-descriptor",
        Severity.HIGH,
        "The graph reads matrices, vocabularies or descriptors from files",
        "The graph reads no matrix, vocabulary or descriptor from files",
        "When these operations run, they open a file whose path is in the graph.",
        _NO_SERVE,
        does="reads a checkpoint, vocabulary or descriptor from a file",
        operations={"LoadAndRemapMatrix": (0,), "GenerateVocabRemapping": (0, 1)}
        | dict.fromkeys(("DecodeProtoV2", "EncodeProto"), ()),
    ),
    OpThreat(
        "MA749",
        "debug-or-summary-writer",
        Severity.HIGH,
        "The graph writes debug dumps or summaries",
        "The graph writes no debug dumps and no summaries",
        "The model's values are written to files, or sent to an address, that the graph specifies.",
        "Export the prediction function without `tf.summary` and without debugger hooks.",
        does="writes debug dumps or summaries",
        operations=_at(1, "CreateSummaryFileWriter CreateSummaryDbWriter")
        | dict.fromkeys(
            [
                "DebugIdentity",
                "DebugIdentityV2",
                "DebugIdentityV3",
                "DebugNanCount",
                "DebugNumericSummary",
                "DebugNumericSummaryV2",
                "StatsAggregatorSetSummaryWriter",
                "FlushSummaryWriter",
                "ImportEvent",
                "WriteSummary",
                "WriteScalarSummary",
                "WriteHistogramSummary",
                "WriteImageSummary",
                "WriteAudioSummary",
                "WriteGraphSummary",
                "WriteRawProtoSummary",
            ],
            (),
        ),
    ),
    OpThreat(
        "MA750",
        "graph-uses-network",
        Severity.HIGH,
        "The graph communicates with other machines",
        "The graph communicates with no other machine",
        "The operation connects to a service or sends tensors to another process. A model that "
        "runs on its own has no peer: it either hangs or communicates with a machine that its "
        "author chose.",
        _NO_SERVE,
        does="communicates with another machine",
        operations=_at(
            2, "DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4"
        )
        | _at(1, "RegisterDataset RegisterDatasetV2")
        | _at(0, "RpcClient RpcServer")
        | dict.fromkeys(
            [
                "RpcCall",
                "RpcServerStart",
                "RpcServerRegister",
                "RpcGetValue",
                "RpcCheckStatus",
                "NcclAllReduce",
                "NcclBroadcast",
                "NcclReduce",
                "CollectiveReduceScatterV2",
                "CollectiveInitializeCommunicator",
                "FileSystemSetConfiguration",
                "RemoteCall",
                "Send",
                "Recv",
                "_Send",
                "_Recv",
                "_HostSend",
                "_HostRecv",
                "CollectiveReduce",
                "CollectiveReduceV2",
                "CollectiveReduceV3",
                "CollectiveGather",
                "CollectiveGatherV2",
                "CollectiveBcastSend",
                "CollectiveBcastRecv",
                "CollectiveBcastSendV2",
                "CollectiveBcastRecvV2",
                "CollectivePermute",
                "CollectiveAllToAllV2",
                "CollectiveAllToAllV3",
            ],
            (),
        ),
    ),
)

WATCHED: Mapping[str, OpThreat] = {op: threat for threat in THREATS for op in threat.operations}
"""Operation -> its threat."""

LOOPS = frozenset({"While", "StatelessWhile", "LoopCond", "Abort"})
"""Operations that can block or end the process; `graph.limits` checks them."""

WAITS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            *("QueueDequeue", "QueueDequeueV2", "QueueDequeueMany", "QueueDequeueManyV2"),
            *("QueueDequeueUpTo", "QueueDequeueUpToV2", "ReaderRead", "ReaderReadV2"),
            *("ReaderReadUpTo", "ReaderReadUpToV2"),
        ),
        frozenset(
            {
                *("QueueEnqueue", "QueueEnqueueV2", "QueueEnqueueMany", "QueueEnqueueManyV2"),
                *("QueueClose", "QueueCloseV2"),
            }
        ),
    ),
    "BarrierTakeMany": frozenset({"BarrierInsertMany", "BarrierClose"}),
    **dict.fromkeys(("Unstage", "StagePeek"), frozenset({"Stage"})),
    **dict.fromkeys(("MapUnstage", "MapUnstageNoKey", "MapPeek"), frozenset({"MapStage"})),
    **dict.fromkeys(
        ("OrderedMapUnstage", "OrderedMapUnstageNoKey", "OrderedMapPeek"),
        frozenset({"OrderedMapStage"}),
    ),
    **dict.fromkeys(
        ("AccumulatorTakeGradient", "SparseAccumulatorTakeGradient"),
        frozenset({"AccumulatorApplyGradient", "SparseAccumulatorApplyGradient"}),
    ),
    "ResourceAccumulatorTakeGradient": frozenset({"ResourceAccumulatorApplyGradient"}),
}
"""Operations that wait for others -> those that end the waiting."""

NATIVE = frozenset({"XlaCustomCall", "XlaCustomCallV2"})
"""TensorFlow operations that call a native function by its name."""

OF_TENSORRT = frozenset(
    {
        *("TRTEngineOp", "CreateTRTResourceHandle", "InitializeTRTResource"),
        *("SerializeTRTResource", "GetCalibrationDataOp", "TRTCalibOp"),
    }
)
"""TensorFlow's own operations that only its builds with TensorRT have (`compiler/tf2tensorrt`)."""

RUNS_GRAPH = "DatasetFromGraph"
"""The operation that runs a serialised graph."""
