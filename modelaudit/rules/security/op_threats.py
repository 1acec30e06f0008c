"""Operations of TensorFlow that reach out of the graph, by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelaudit.findings import Severity


@dataclass(frozen=True, slots=True)
class OpThreat:
    """Operations that do one thing, and what to say about them.

    `operations` are names -> positions of the inputs that say where to (a path, an address).
    """

    code: str
    name: str
    severity: Severity
    does: str
    summary: str
    pass_title: str
    why: str
    fix: str
    operations: Mapping[str, tuple[int, ...]]
    references: tuple[str, ...] = ()


def _at(position: int, names: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(names.split(), (position,))


_NO_SERVE = (
    "Do not load or serve it. No classifier needs this; ask the maker for an export of the "
    "prediction function alone."
)
_POLICY = "https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md"

THREATS = (
    OpThreat(
        "MA740",
        "graph-writes-file",
        Severity.CRITICAL,
        "writes a file",
        "The graph writes files",
        "The graph writes no file",
        "Calling the model, or only loading it, writes to the disk of whoever does so, with their "
        "rights: over a start-up script, for one.",
        _NO_SERVE,
        {**_at(0, "WriteFile"), **_at(1, "SaveDataset SaveDatasetV2 DistributedSave")}
        | _at(1, "DatasetToTFRecord ExperimentalDatasetToTFRecord")
        | dict.fromkeys(("DumpTensor", "CalibrationStatisticsSaver"), ()),
        (_POLICY,),
    ),
    OpThreat(
        "MA741",
        "graph-reads-file",
        Severity.HIGH,
        "reads a file",
        "The graph reads files",
        "The graph reads no file",
        "The model can carry a file of its user's, a key for one, out through its outputs. Paths "
        "may be addresses: TensorFlow opens gs:// and others like files.",
        _NO_SERVE,
        {**_at(0, "ReadFile"), "ImmutableConst": ()},
        (_POLICY,),
    ),
    OpThreat(
        "MA742",
        "graph-lists-files",
        Severity.HIGH,
        "lists files",
        "The graph lists files",
        "The graph lists no files",
        "The names of files on the machine come out through the model's outputs, or tell it what "
        "to read next.",
        _NO_SERVE,
        _at(0, "MatchingFiles MatchingFilesDataset ExperimentalMatchingFilesDataset"),
    ),
    OpThreat(
        "MA743",
        "graph-prints-to-file",
        Severity.HIGH,
        "prints into a file",
        "The graph prints into a file",
        "The graph prints into no file",
        "A print operation with `file://` as its stream appends to that file on the machine that "
        "runs the model. Printing to the terminal is harmless and not reported.",
        "Export the model without `tf.print(..., output_stream=...)`.",
        {"PrintV2": ()},
    ),
    OpThreat(
        "MA744",
        "python-callback",
        Severity.MEDIUM,
        "calls back into Python",
        "The graph calls a Python function that is not in the file",
        "The graph calls no Python function",
        "The operation names a function that lived in the process that saved the model. In any "
        "other process it is not there and the model fails: an incompatibility more than an attack.",
        "Replace `tf.py_function` and `tf.numpy_function` by TensorFlow operations and export "
        "again.",
        dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc"), ()),
    ),
    OpThreat(
        "MA745",
        "graph-reads-dataset",
        Severity.HIGH,
        "reads files as a dataset",
        "The graph reads datasets from files",
        "The graph reads no dataset from files",
        "An input pipeline inside of a model opens files of whoever runs it. Pipelines belong to "
        "training code, not into an export.",
        _NO_SERVE,
        _at(
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
        "saves or restores a checkpoint",
        "The graph saves or restores checkpoints outside of its saver",
        "Checkpoints are saved and restored by the model's saver only",
        "Every SavedModel has a saver that reads its own variables. This operation is none of it: "
        "calling the model reads or writes checkpoint files elsewhere, and MergeV2Checkpoints can "
        "delete directories.",
        _NO_SERVE,
        _at(
            0,
            """SaveV2 Save SaveSlices RestoreV2 Restore RestoreSlice MergeV2Checkpoints
            CheckpointHasKey DTensorRestoreV2""",
        ),
    ),
    OpThreat(
        "MA747",
        "table-from-path",
        Severity.HIGH,
        "fills a lookup table from a file",
        "A lookup table is filled from a file that is no asset of the model",
        "Lookup tables are filled from the model's own assets only",
        "Vocabularies travel as assets inside of the SavedModel. This one is read from a path on "
        "the machine that loads the model, and its lines can be read back out of the table.",
        "Export the model with the vocabulary as an asset (`tf.saved_model.Asset`, or a text file "
        "initialiser that is tracked by the model).",
        _at(1, "InitializeTableFromTextFile InitializeTableFromTextFileV2"),
    ),
    OpThreat(
        "MA748",
        "graph-reads-descriptor",
        Severity.HIGH,
        "reads a checkpoint, vocabulary or descriptor from a file",
        "The graph reads matrices, vocabularies or descriptors from files",
        "The graph reads no matrix, vocabulary or descriptor from files",
        "These operations open a file by a path from the graph when they run.",
        _NO_SERVE,
        {"LoadAndRemapMatrix": (0,), "GenerateVocabRemapping": (0, 1)}
        | dict.fromkeys(("DecodeProtoV2", "EncodeProto"), ()),
    ),
    OpThreat(
        "MA749",
        "debug-or-summary-writer",
        Severity.HIGH,
        "writes debug dumps or summaries",
        "The graph writes debug dumps or summaries",
        "The graph writes no debug dump and no summary",
        "Values of the model are written to files, or sent to an address, that the graph names.",
        "Export the prediction function without `tf.summary` and without debugger hooks.",
        _at(1, "CreateSummaryFileWriter CreateSummaryDbWriter")
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
        "talks to another machine",
        "The graph talks to other machines",
        "The graph talks to no other machine",
        "The operation connects to a service, or sends tensors to another process. A model that "
        "is run on its own has nobody to talk to: it hangs, or it talks to whom its maker chose.",
        _NO_SERVE,
        _at(2, "DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4")
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

PADS: Mapping[str, int] = dict.fromkeys(("Pad", "PadV2", "MirrorPad"), 1)
"""Operations that make a tensor larger by amounts for each axis -> position of the amounts."""

LOOPS = frozenset({"While", "StatelessWhile", "LoopCond", "Abort"})
"""Operations that can keep or end the process; `graph_limits` looks at them."""

NATIVE = frozenset({"XlaCustomCall", "XlaCustomCallV2"})
"""Operations of TensorFlow's that call a native function by its name."""

RUNS_GRAPH = "DatasetFromGraph"
"""The operation that runs a graph that it is given as text."""

SIZED: Mapping[str, int] = {
    **dict.fromkeys(("Fill", "Empty", "RandomUniform", "RandomStandardNormal"), 0),
    **dict.fromkeys(("TruncatedNormal", "RandomUniformInt", "StatelessRandomUniform"), 0),
    **dict.fromkeys(("StatelessRandomNormal", "StatelessRandomUniformV2"), 0),
    **dict.fromkeys(("StatelessRandomNormalV2", "StatelessTruncatedNormal"), 0),
    **dict.fromkeys(("StatelessRandomUniformInt", "StatelessRandomUniformIntV2"), 0),
    **dict.fromkeys(("StatelessTruncatedNormalV2", "ParameterizedTruncatedNormal"), 0),
    **dict.fromkeys(("RandomGamma", "RandomPoissonV2", "TensorArrayV2", "TensorArrayV3"), 0),
    **dict.fromkeys(("BroadcastTo", "Tile", "OneHot", "Multinomial", "TensorListReserve"), 1),
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"), 1),
    **dict.fromkeys(("ResizeArea", "SparseToDense", "Bincount", "DenseBincount", "Range"), 1),
    **dict.fromkeys(("StatefulUniform", "StatefulStandardNormalV2", "StatefulTruncatedNormal"), 2),
    **dict.fromkeys(("LinSpace", "ScatterNd", "UnsortedSegmentSum"), 2),
}
"""Operations that make a tensor of a given shape -> position of the shape."""
