"""What can be wrong with a container, told apart by the evidence that the reader gives."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.findings import Severity


@dataclass(frozen=True, slots=True)
class Threat:
    """A kind of problem, narrowed to the evidence that makes it this threat.

    `key` and `values` pick problems by `evidence[key]`, any value where there are no `values`.
    A threat without a `key` is what remains of its kind.
    """

    kind: ProblemKind
    code: str
    name: str
    severity: Severity
    summary: str
    pass_title: str
    why: str
    fix: str
    key: str = ""
    values: tuple[Json, ...] = ()
    references: tuple[str, ...] = ()

    def named_by(self, problem: Problem) -> bool:
        """Whether the problem's evidence says that it is this threat."""
        if problem.kind is not self.kind or not self.key or self.key not in problem.evidence:
            return False
        return not self.values or problem.evidence[self.key] in self.values


_NOT_LOAD = (
    "Do not load it. Honest models never need this; ask the maker for a self-contained file."
)
_REPACK = "Do not load or unpack it. Pack the model again with Keras."

THREATS = (
    Threat(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA720",
        "external-reference",
        Severity.HIGH,
        "The file points at data outside of itself",
        "The file points at nothing outside of itself",
        "An HDF5 link can lead into any other HDF5 file on the machine that loads it. A model then "
        "carries the reader's own data into its weights, from where they can be sent back. A link "
        "whose name has a slash leads through such links, and one of a class of its maker's own "
        "wherever the program says that registered the class.",
        _NOT_LOAD,
        references=("CVE-2026-1669", "GHSA-3m4q-jmj6-r34q"),
    ),
    Threat(
        ProblemKind.UNSAFE_PATH,
        "MA721",
        "unsafe-path",
        Severity.HIGH,
        "A path inside the model leads outside of it",
        "All paths inside the model stay inside",
        "Unpacking or following such a path writes or reads elsewhere on the machine.",
        "Do not unpack or load it. Ask the maker for a clean file.",
        references=("CWE-22",),
    ),
    Threat(
        ProblemKind.DUPLICATE_MEMBER,
        "MA722",
        "duplicate-archive-member",
        Severity.HIGH,
        "The archive holds two members of one name",
        "Every archive member has a name of its own",
        "One tool sees the first, another the second: what was checked is not what is loaded.",
        _REPACK,
    ),
    Threat(
        ProblemKind.HEADER_MISMATCH,
        "MA723",
        "archive-header-mismatch",
        Severity.HIGH,
        "The archive contradicts itself",
        "The archive's headers agree with each other",
        "Zip archives describe each member twice. Where the two differ, tools disagree about the "
        "content.",
        _REPACK,
    ),
    Threat(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA724",
        "external-storage",
        Severity.HIGH,
        "A weight's bytes lie in another file on the reader's machine",
        "All weights' bytes lie in the file itself",
        "HDF5 external storage makes any file a tensor: a key or a password file of whoever loads "
        "the model becomes its weights, and leaves with the next upload of the model.",
        _NOT_LOAD,
        "hdf5",
        ("external-storage",),
        ("CVE-2026-1669", "GHSA-3m4q-jmj6-r34q"),
    ),
    Threat(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA725",
        "virtual-dataset",
        Severity.HIGH,
        "A weight is assembled from other files",
        "No weight is assembled from other files",
        "An HDF5 virtual dataset takes its values from datasets in other files, by path, on the "
        "machine that loads it.",
        _NOT_LOAD,
        "hdf5",
        ("virtual",),
        ("https://github.com/keras-team/keras/pull/22976",),
    ),
    Threat(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA726",
        "soft-link",
        Severity.MEDIUM,
        "A weight is a symbolic link inside the HDF5 file",
        "No weight is a symbolic link",
        "Soft links can stand in a loop, dangle, or let one tool see other weights than the next. "
        "Keras writes none, and from 3.15 on refuses them.",
        "Copy the weights into a fresh file, or ask the maker to save the model again.",
        "hdf5",
        ("soft-link",),
    ),
    Threat(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA727",
        "filter-plugin",
        Severity.HIGH,
        "Reading a weight needs a filter plugin, which is native code",
        "No weight needs a filter plugin",
        "libhdf5 looks for the plugin in HDF5_PLUGIN_PATH and loads it into the process: a library "
        "planted there runs with the reader's rights.",
        "Load it only where HDF5_PLUGIN_PATH is empty or your own. Ask for the file with gzip "
        "compression, or none.",
        "hdf5",
        ("filter",),
    ),
    Threat(
        ProblemKind.OTHER,
        "MA728",
        "hdf5-cycle",
        Severity.MEDIUM,
        "A group of the HDF5 file stands inside itself, or in two places",
        "No group of the HDF5 file stands in two places",
        "A program that walks the file without remembering where it was never comes to an end.",
        "Ask the maker to save the model again. Keras writes no such links.",
        "hdf5",
        ("cycle",),
    ),
    Threat(
        ProblemKind.LIMIT_EXCEEDED,
        "MA729",
        "hdf5-bomb",
        Severity.HIGH,
        "A small dataset would unfold into a huge one",
        "No dataset unfolds into a huge one",
        "A few bytes declare, or decompress to, more than the machine that reads them has. Keras "
        "before 3.12.1 and 3.13.2 allocates what the file declares; later versions let a ratio of "
        "up to 1000 pass.",
        "Do not load it. Weights hardly compress: a file that shrank a hundredfold holds none.",
        "hdf5",
        ("ratio", "chunks"),
        (
            *("CVE-2026-0897", "GHSA-xfhx-r7ww-5995", "GHSA-mgx6-5cf9-rr43"),
            *("CVE-2026-12570", "GHSA-74m6-m3xx-3vmj"),
        ),
    ),
    Threat(
        ProblemKind.UNSAFE_PATH,
        "MA730",
        "symbolic-link",
        Severity.HIGH,
        "The model holds a symbolic link out of itself",
        "The model holds no symbolic link out of itself",
        "Copying or loading the model follows the link on the machine where that happens, and reads "
        "or overwrites a file there.",
        "Delete the link. Where it is your own, replace it by the file that it points at.",
        "link",
        (),
        ("https://github.com/keras-team/keras/pull/22896", "CWE-59"),
    ),
    Threat(
        ProblemKind.UNSAFE_PATH,
        "MA731",
        "checkpoint-path-traversal",
        Severity.HIGH,
        "The `checkpoint` state file names a checkpoint elsewhere",
        "The `checkpoint` state file names checkpoints beside it",
        "`tf.train.latest_checkpoint` follows the path and restores a file from elsewhere on the "
        "machine as if it were this model. Old training runs leave absolute paths there by habit.",
        "Restore by explicit prefix, or write the plain name into `model_checkpoint_path`.",
        "path",
        (),
        ("CWE-22",),
    ),
    Threat(
        ProblemKind.DUPLICATE_MEMBER,
        "MA732",
        "duplicate-json-key",
        Severity.HIGH,
        "A config names one key twice",
        "No config names a key twice",
        "Of two values the one that Python takes is what is loaded; other tools show the first. "
        "What was reviewed is then not what runs. Keras writes no key twice.",
        _REPACK,
        "json",
        ("keys",),
    ),
    Threat(
        ProblemKind.HEADER_MISMATCH,
        "MA733",
        "archive-polyglot",
        Severity.HIGH,
        "Something else stands before or after the archive in the same file",
        "Nothing stands before or after the archive",
        "The file is an archive to one program and a script, picture or other archive to the next. "
        "Scanners that look at its first bytes judge the wrong one.",
        _REPACK,
        "zip",
        ("prefix", "suffix"),
    ),
    Threat(
        ProblemKind.LIMIT_EXCEEDED,
        "MA734",
        "archive-bomb",
        Severity.HIGH,
        "A small archive member would unfold into a huge one",
        "No archive member unfolds into a huge one",
        "Unpacking the member fills memory or disk of whoever loads the model. Keras 3.15.1 still "
        "unpacks such assets.",
        "Do not load or unpack it. Configs and weights do not compress that well.",
        "limit",
        ("compression ratio", "archive bytes"),
        (
            "https://github.com/keras-team/keras/pull/23010",
            "https://github.com/keras-team/keras/pull/23101",
        ),
    ),
    Threat(
        ProblemKind.UNSUPPORTED,
        "MA735",
        "pickled-weights",
        Severity.HIGH,
        "A weights file holds Python objects, that is, a pickle",
        "No weights file holds Python objects",
        "Numpy stores object arrays as pickles, and reading one with `allow_pickle=True` runs "
        "whatever it says.",
        "Do not load it. Weights are numbers; ask the maker for the model as Keras saves it.",
        "npy",
        ("object",),
        ("https://github.com/keras-team/keras/pull/23016",),
    ),
    Threat(
        ProblemKind.OTHER,
        "MA738",
        "hdf5-polyglot",
        Severity.MEDIUM,
        "Something else stands before or after the HDF5 data in the same file",
        "Nothing stands before or after the HDF5 data",
        "The file is HDF5 to one program and something else to the next. HDF5 allows a block for "
        "the user in front; Keras uses none.",
        "Copy the model into a fresh file: load it where it can do no harm, and save it again.",
        "hdf5",
        ("user-block", "trailing"),
    ),
    Threat(
        ProblemKind.OTHER,
        "MA757",
        "unusual-archive-member",
        Severity.HIGH,
        "An archive member is encrypted, or compressed in a way that Keras never uses",
        "All archive members are stored or deflated",
        "Python loads members that are compressed by bzip2 or LZMA, and many scanners do not: they "
        "pass over what they cannot read. An encrypted member nobody can look into.",
        _REPACK,
        "zip",
        ("encrypted", "method"),
    ),
    Threat(
        ProblemKind.DUPLICATE_MEMBER,
        "MA758",
        "contradicting-graph",
        Severity.HIGH,
        "The SavedModel holds a second graph that differs from the one that is loaded",
        "The SavedModel holds one graph, or says the same twice",
        "Where `saved_model.pb` lies, TensorFlow loads it and passes over `saved_model.pbtxt`. A "
        "person reads the text, other tools may take it, and so does TensorFlow when the binary "
        "file is lost on the way. What was reviewed is then not what runs. The operations of the "
        "loaded file are judged by the rules on graphs; the text is only compared, in every field "
        "that TensorFlow 2.21 knows. What else a text holds is told as not looked into.",
        "Find out which one is the model and delete the other. Audit again before the text is used.",
        "saved_model",
        ("differs",),
    ),
)
