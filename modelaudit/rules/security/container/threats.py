"""Threats in a container, distinguished by the evidence that the reader provides."""

from __future__ import annotations

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.findings import Severity
from modelaudit.rules.model import RuleTexts


class Threat(RuleTexts, frozen=True, kw_only=True):
    """A kind of problem, narrowed to the evidence that identifies this threat.

    `key` and `values` select problems by `evidence[key]`; without `values`, any value matches.
    A threat without a `key` covers the remaining problems of its kind.
    """

    kind: ProblemKind
    key: str = ""
    values: tuple[Json, ...] = ()

    def named_by(self, problem: Problem) -> bool:
        """Whether the problem's evidence identifies this threat."""
        if problem.kind is not self.kind or not self.key or self.key not in problem.evidence:
            return False
        return not self.values or problem.evidence[self.key] in self.values


_NOT_LOAD = (
    "Do not load it. Legitimate models never need this; ask the author for a self-contained file."
)
_REPACK = "Do not load or unpack it. Save the model again with Keras."

THREATS = (
    Threat(
        "MA761",
        "unreferenced-bytes",
        Severity.MEDIUM,
        "The file contains bytes that nothing in it refers to",
        "Everything in the file is referred to",
        "The interpreter ignores them, so they are meant for something else: a program, or data "
        "that are distributed with the model. Converters leave a few bytes at most, such as "
        "tables that they write twice. Up to 128 constants of one number are not counted.",
        "Convert the model again, or ask the author what they are.",
        kind=ProblemKind.OTHER,
        key="tflite",
        values=("unused",),
    ),
    Threat(
        "MA720",
        "external-reference",
        Severity.HIGH,
        "The file refers to data outside itself",
        "The file refers to no data outside itself",
        "An HDF5 link can refer to any other HDF5 file on the machine that loads it. The loaded "
        "model then contains the user's own data in its weights, from where it can leak. A link "
        "whose name contains a slash goes through such links, and a user-defined link goes "
        "wherever the program that registered its class decides.",
        _NOT_LOAD,
        kind=ProblemKind.EXTERNAL_REFERENCE,
        references=("CVE-2026-1669", "GHSA-3m4q-jmj6-r34q"),
    ),
    Threat(
        "MA721",
        "unsafe-path",
        Severity.HIGH,
        "A path inside the model leads outside the model",
        "All paths inside the model stay inside the model",
        "Unpacking or following such a path writes or reads elsewhere on the machine.",
        "Do not unpack or load it. Ask the author for a clean file.",
        kind=ProblemKind.UNSAFE_PATH,
        references=("CWE-22",),
    ),
    Threat(
        "MA722",
        "duplicate-archive-member",
        Severity.HIGH,
        "The archive contains two members with the same name",
        "Every archive member has a unique name",
        "One tool reads the first member and another reads the second: what was checked is not "
        "what is loaded.",
        _REPACK,
        kind=ProblemKind.DUPLICATE_MEMBER,
    ),
    Threat(
        "MA723",
        "archive-header-mismatch",
        Severity.HIGH,
        "The archive's headers contradict each other",
        "The archive's headers agree with each other",
        "A zip archive describes each member twice. If the two descriptions differ, tools disagree "
        "about the content.",
        _REPACK,
        kind=ProblemKind.HEADER_MISMATCH,
    ),
    Threat(
        "MA724",
        "external-storage",
        Severity.HIGH,
        "A weight's bytes are stored in another file on the user's machine",
        "All weights are stored in the file itself",
        "HDF5 external storage turns any file into a tensor: a key or password file of the user "
        "who loads the model becomes part of its weights, and leaks with the next upload of the "
        "model.",
        _NOT_LOAD,
        key="hdf5",
        values=("external-storage",),
        references=("CVE-2026-1669", "GHSA-3m4q-jmj6-r34q"),
        kind=ProblemKind.EXTERNAL_REFERENCE,
    ),
    Threat(
        "MA725",
        "virtual-dataset",
        Severity.HIGH,
        "A weight is assembled from other files",
        "No weight is assembled from other files",
        "An HDF5 virtual dataset takes its values from datasets in other files on the machine that "
        "loads it.",
        _NOT_LOAD,
        key="hdf5",
        values=("virtual",),
        references=("https://github.com/keras-team/keras/pull/22976",),
        kind=ProblemKind.EXTERNAL_REFERENCE,
    ),
    Threat(
        "MA726",
        "soft-link",
        Severity.MEDIUM,
        "A weight is a soft link inside the HDF5 file",
        "No weight is a soft link",
        "Soft links can form a cycle, dangle, or make two tools read different weights. Keras "
        "writes none, and rejects them from version 3.15 on.",
        "Copy the weights to a new file, or ask the author to save the model again.",
        key="hdf5",
        values=("soft-link",),
        kind=ProblemKind.EXTERNAL_REFERENCE,
    ),
    Threat(
        "MA727",
        "filter-plugin",
        Severity.HIGH,
        "Reading a weight needs a filter plugin, which is native code",
        "No weight needs a filter plugin",
        "libhdf5 searches HDF5_PLUGIN_PATH for the plugin and loads it into the process: a library "
        "planted there runs with the user's permissions.",
        "Load it only where HDF5_PLUGIN_PATH is empty or under your control. Ask for the file with "
        "gzip compression or without compression.",
        key="hdf5",
        values=("filter",),
        kind=ProblemKind.EXTERNAL_REFERENCE,
    ),
    Threat(
        "MA728",
        "hdf5-cycle",
        Severity.MEDIUM,
        "An HDF5 group contains itself or is hard-linked twice",
        "No HDF5 group is hard-linked twice",
        "A program that walks the file without remembering visited groups never finishes.",
        "Ask the author to save the model again. Keras writes no such links.",
        key="hdf5",
        values=("cycle",),
        kind=ProblemKind.OTHER,
    ),
    Threat(
        "MA729",
        "hdf5-bomb",
        Severity.HIGH,
        "A small dataset expands to a huge one",
        "No dataset expands to a huge one",
        "A few bytes declare, or decompress to, more memory than the machine has. Keras before "
        "3.12.1 and 3.13.2 allocates what the file declares; later versions accept a ratio of up "
        "to 1000.",
        "Do not load it. Weights hardly compress: a file that shrinks a hundredfold contains no "
        "weights.",
        key="hdf5",
        values=("ratio", "chunks"),
        references=(
            *("CVE-2026-0897", "GHSA-xfhx-r7ww-5995", "GHSA-mgx6-5cf9-rr43"),
            *("CVE-2026-12570", "GHSA-74m6-m3xx-3vmj"),
        ),
        kind=ProblemKind.LIMIT_EXCEEDED,
    ),
    Threat(
        "MA730",
        "symbolic-link",
        Severity.HIGH,
        "The model contains a symbolic link that leads outside",
        "The model contains no symbolic link that leads outside",
        "Copying or loading the model follows the link on the machine where this happens, and "
        "reads or overwrites a file there.",
        "Delete the link. If it is your own, replace it with the file that it points to.",
        key="link",
        references=("https://github.com/keras-team/keras/pull/22896", "CWE-59"),
        kind=ProblemKind.UNSAFE_PATH,
    ),
    Threat(
        "MA731",
        "checkpoint-path-traversal",
        Severity.HIGH,
        "The `checkpoint` state file names a checkpoint in another location",
        "The `checkpoint` state file names only checkpoints next to it",
        "`tf.train.latest_checkpoint` follows the path and restores a file from another location "
        "as if it were this model. Old training runs routinely left absolute paths there. Paths of "
        "Windows are followed there only: elsewhere no checkpoint is found, and code that does not "
        "check continues with untrained weights.",
        "Restore with an explicit prefix, or write the plain name to `model_checkpoint_path`.",
        key="path",
        references=("CWE-22",),
        kind=ProblemKind.UNSAFE_PATH,
    ),
    Threat(
        "MA732",
        "duplicate-json-key",
        Severity.HIGH,
        "A config contains the same key twice",
        "No config contains a key twice",
        "Python loads one of the two values, while other tools show the other one. What was "
        "reviewed is then not what runs. Keras never writes a key twice.",
        _REPACK,
        key="json",
        values=("keys",),
        kind=ProblemKind.DUPLICATE_MEMBER,
    ),
    Threat(
        "MA718",
        "impossible-config-value",
        Severity.MEDIUM,
        "A config contains values that no loader takes as they are",
        "A config contains only values that every loader takes",
        "NaN and infinity as numbers of a layer make its outputs meaningless. Numbers and texts that "
        "are invalid in JSON or Unicode make some loaders fail and others load another value. What "
        "was reviewed is then not what runs.",
        "Find out who changed the config: Keras writes such values only where a program passed them "
        "to a layer.",
        key="json",
        values=("values",),
        kind=ProblemKind.OTHER,
    ),
    Threat(
        "MA733",
        "archive-polyglot",
        Severity.HIGH,
        "The file contains other data before or after the archive",
        "The file contains no data before or after the archive",
        "One program reads the file as an archive and another as a script, a picture or a "
        "different archive. Scanners that check the first bytes judge the wrong content.",
        _REPACK,
        key="zip",
        values=("prefix", "suffix"),
        kind=ProblemKind.HEADER_MISMATCH,
    ),
    Threat(
        "MA734",
        "archive-bomb",
        Severity.HIGH,
        "A small archive member expands to a huge one",
        "No archive member expands to a huge one",
        "Unpacking the member fills the memory or disk of the user who loads the model. Keras "
        "3.15.1 still unpacks such assets.",
        "Do not load or unpack it. Configs and weights do not compress that well.",
        key="limit",
        values=("compression ratio", "archive bytes"),
        references=(
            "https://github.com/keras-team/keras/pull/23010",
            "https://github.com/keras-team/keras/pull/23101",
        ),
        kind=ProblemKind.LIMIT_EXCEEDED,
    ),
    Threat(
        "MA735",
        "pickled-weights",
        Severity.HIGH,
        "A weights file contains Python objects, stored as a pickle",
        "No weights file contains Python objects",
        "NumPy stores object arrays as pickles, and reading one with `allow_pickle=True` runs the "
        "code in it.",
        "Do not load it. Weights are numbers; ask the author for the model as Keras saves it.",
        key="npy",
        values=("object",),
        references=("https://github.com/keras-team/keras/pull/23016",),
        kind=ProblemKind.UNSUPPORTED,
    ),
    Threat(
        "MA738",
        "hdf5-polyglot",
        Severity.MEDIUM,
        "The file contains other data before or after the HDF5 data",
        "The file contains no data before or after the HDF5 data",
        "One program reads the file as HDF5 and another as something else. HDF5 permits a user "
        "block at the start; Keras does not use it.",
        "Copy the model to a new file: load it in an isolated environment and save it again.",
        key="hdf5",
        values=("user-block", "trailing"),
        kind=ProblemKind.OTHER,
    ),
    Threat(
        "MA757",
        "unusual-archive-member",
        Severity.HIGH,
        "An archive member is encrypted, or compressed in a way that Keras never uses",
        "All archive members are stored or deflated",
        "Python loads members compressed with bzip2 or LZMA, but many scanners skip them because "
        "they cannot read them. An encrypted member cannot be inspected at all.",
        _REPACK,
        key="zip",
        values=("encrypted", "method"),
        kind=ProblemKind.OTHER,
    ),
    Threat(
        "MA758",
        "contradicting-graph",
        Severity.HIGH,
        "The SavedModel contains a second graph that differs from the one that is loaded",
        "The SavedModel contains one graph, or two identical ones",
        "If `saved_model.pb` exists, TensorFlow loads it and ignores `saved_model.pbtxt`. A person "
        "reads the text file, other tools may use it, and TensorFlow uses it if the binary file "
        "gets lost. What was reviewed is then not what runs. The graph rules check the operations "
        "of the loaded file; the text file is only compared with it, in every field that "
        "TensorFlow 2.21 knows. Other content of the text file is reported as not audited.",
        "Find out which one is the model and delete the other. Audit again before the text file is "
        "used.",
        key="saved_model",
        values=("differs",),
        kind=ProblemKind.DUPLICATE_MEMBER,
    ),
)
