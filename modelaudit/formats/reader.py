"""Entry point of `formats`: reads any path as an `Artifact`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from modelaudit.errors import LimitExceeded, ReadError, UsageError, WorkSpent
from modelaudit.facts import Artifact, FileEntry, Format, Json, Problem, ProblemKind
from modelaudit.file_formats import DAMAGED, MANGLED_HDF5
from modelaudit.formats.class_labels import read_labels
from modelaudit.formats.hidden_checkpoint import with_hidden_checkpoint
from modelaudit.formats.io.bounded import display_path, file_entry, model_digest, open_regular
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.lfs_pointers import pointer_problem, with_pointers
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.io.work_allowance import budget_of, with_work_spent
from modelaudit.formats.other_formats import Unsupported, head, other_archive, unsupported_file
from modelaudit.formats.pickles import as_pickle, pickle_problem
from modelaudit.formats.sniff import plain_graph, second_format, sniff
from modelaudit.formats.vocabularies import read_vocabularies, takes_words
from modelaudit.formats.zip.directory import read_directory
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import Phase, current_budget

# Problems that say only that the file is not of a format.
_OF_FORMAT = frozenset({ProblemKind.SUFFIX_MISMATCH, ProblemKind.UNSUPPORTED})
_WITH_FILES_BESIDE = frozenset(
    (Format.TFJS_LAYERS, Format.TFJS_GRAPH, Format.TF2_CHECKPOINT, Format.TF1_CHECKPOINT)
)
_SAVED_MODEL_FILES = frozenset(("saved_model.pb", "saved_model.pbtxt"))


def read(path: Path, limits: Limits) -> Artifact:
    """Read a saved model without running any of its code.

    A path that is not a model, or a damaged one, also gives an `Artifact`: `format` is what the
    path is, `problems` what is wrong, and `complete` is False.

    Args:
        path: a file, the directory of a SavedModel or unpacked archive, or a checkpoint prefix.
        limits: bounds on what is read.

    Raises:
        UsageError: `path` does not exist.
    """
    if path.name in _SAVED_MODEL_FILES and path.is_file():
        path = path.parent
    if path.is_dir():
        path = plain_graph(path) or path
    outer = current_budget()
    budget = outer or budget_of(path, limits)
    with budget.during(Phase.READING):
        artifact = _read(path, limits)
    return artifact if outer else with_work_spent(artifact, budget)


def _read(path: Path, limits: Limits) -> Artifact:
    # The HDF5 reader determines the layout itself, so the file need not be opened twice.
    form = sniff(path, lambda _: Format.HDF5_OTHER)
    named = _named(path, form) if form in _NAMED else None
    problem = (ProblemKind.UNSUPPORTED, named.reason) if named else form.info.problem
    reader = _READERS[form] if problem is None else _no_model(form, *problem, named)
    if form is Format.UNKNOWN and not path.exists():
        if not _has_data(path):
            raise UsageError(f"{path}: no such file or directory")
        reader = _checkpoint  # reports the missing files
    try:
        artifact = reader(path, limits)
    except ReadError as error:
        form = form if isinstance(error, WorkSpent) else DAMAGED.get(form.info.container, form)
        artifact = _failed(path, form, error, limits)
    artifact = with_pointers(_with_second_format(artifact, path, form, limits))
    artifact = with_hidden_checkpoint(as_pickle(artifact, path), path)
    beside = {"labels": read_labels(path, limits)}
    if takes_words(artifact):
        beside["vocabularies"] = read_vocabularies(path, limits)
    found = {name: value for name, value in beside.items() if value}
    return replace(artifact, extra={**artifact.extra, **found}) if found else artifact


def read_artifact(path: Path, limits: Limits) -> Artifact:
    """Facts of one model; errors become facts, never exceptions."""
    try:
        return read(path, limits)
    except ReadError as error:
        problem = Problem(ProblemKind.UNREADABLE, error.file, error.reason)
    except OSError as error:
        problem = Problem(ProblemKind.UNREADABLE, path.name, error.strerror or str(error))
    except UsageError:  # it existed during discovery
        problem = Problem(ProblemKind.UNREADABLE, path.name, "disappeared after discovery")
    return unreadable_artifact(path, problem)


def unreadable_artifact(path: Path, *problems: Problem) -> Artifact:
    """An artefact of which only the reason for being unreadable is known."""
    return Artifact(root=path, format=Format.UNREADABLE, complete=False, problems=problems)


def _with_second_format(artifact: Artifact, path: Path, form: Format, limits: Limits) -> Artifact:
    """The artifact with the configs and problems of what else its file is."""
    try:
        other = second_format(path, form) if path.is_file() else None
        found = _READERS[other](path, limits) if other else None
    except (ReadError, OSError):  # not readable as that
        return artifact
    if other is None or found is None:
        return artifact
    detail = f"is both: {form.label}, and {other.label}; loaders choose by the suffix"
    both = Problem(ProblemKind.HEADER_MISMATCH, path.name, detail, evidence={"zip": "prefix"})
    more = [each for each in found.problems if each.kind not in _OF_FORMAT]
    return replace(
        artifact,
        documents=artifact.documents + found.documents,
        problems=(*artifact.problems, both, *more),
    )


_NAMED = (Format.UNKNOWN, Format.ARCHIVE_OTHER)


def _named(path: Path, form: Format) -> Unsupported | None:
    """What a file is that is a model of another framework; None if it is none."""
    try:
        found = unsupported_file(path.name, head(path)) if path.is_file() else None
        if found is None and form is Format.ARCHIVE_OTHER:
            members = read_directory(FileWindow.of_file(path), Limits()).members
            return other_archive([each.name for each in members])
    except ReadError:
        return None
    return replace(found, reason=f"has another format: {found.reason}") if found else None


def _has_data(prefix: Path) -> bool:
    """Whether there are data files of a checkpoint whose index is missing."""
    try:
        return any(each.name.startswith(f"{prefix.name}.data-") for each in prefix.parent.iterdir())
    except OSError:
        return False


def _hdf5(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.keras.hdf5_reader import read_hdf5  # importing h5py takes long

    return read_hdf5(path, limits)


def _archive(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.keras.archive import read_keras_archive

    return read_keras_archive(path, limits)


def _preset(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.keras.preset import read_preset

    return read_preset(path, limits)


def _npz(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.npz import read_npz_file

    return read_npz_file(path, limits)


def _saved_model(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.saved_model.reader import read_saved_model

    if path.is_dir():
        return read_saved_model(path, limits)
    from modelaudit.formats.saved_model.misnamed_graph import misnamed_graph

    return _bare(path, Format.CORRUPT_SAVEDMODEL, misnamed_graph(path, limits), limits)


def _session_bundle(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.saved_model.reader import read_session_bundle

    return read_session_bundle(path, limits)


def _checkpoint(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.checkpoint.reader import read_checkpoint

    return read_checkpoint(path.with_suffix("") if path.suffix == ".index" else path, limits)


def _orbax(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.orbax.reader import read_orbax

    return read_orbax(path, limits)


def _frozen_graph(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.graph.frozen_graph import read_frozen_graph

    return read_frozen_graph(path, limits)


def _tflite(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.tflite.reader import read_tflite

    return read_tflite(path, limits)


def _plugin(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.plugin_formats import read_plugin_format

    return read_plugin_format(path, limits)


def _tfjs(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.tfjs.reader import read_tfjs

    return read_tfjs(path, limits)


def _lfs_pointer(path: Path, limits: Limits) -> Artifact:
    from modelaudit.formats.checkpoint.index import index_path

    path = path if path.is_file() else index_path(path)  # of a checkpoint, the index is looked at
    problem = pointer_problem(path, path.name)
    if problem is None:  # replaced meanwhile
        raise ReadError(ProblemKind.UNREADABLE, path.name, "was replaced while it was read")
    return _bare(path, Format.GIT_LFS_POINTER, problem, limits, {"lfs": {**problem.evidence}})


def _damaged_hdf5(path: Path, limits: Limits) -> Artifact:
    head = _head(path)
    if not head.startswith(MANGLED_HDF5):
        return _hdf5(path, limits)
    replaced = head.count(b"\xef\xbf\xbd")
    detail = "is an HDF5 file that was transferred as text: bytes were replaced irrecoverably"
    evidence: dict[str, Json] = {"head": head[:16].hex(), "measured": replaced, "n": len(head)}
    problem = Problem(ProblemKind.TEXT_MANGLED, path.name, detail, evidence=evidence)
    return _bare(path, Format.CORRUPT_HDF5, problem, limits)


def _no_model(
    form: Format, kind: ProblemKind, detail: str, named: Unsupported | None = None
) -> Callable[[Path, Limits], Artifact]:
    def reader(path: Path, limits: Limits) -> Artifact:
        evidence: dict[str, Json] = {"content": named.content} if named and named.content else {}
        problem = Problem(kind, display_path(path, path), detail, evidence=evidence)
        pickled = pickle_problem(path) if form is Format.UNKNOWN and path.is_file() else None
        return _bare(path, form, pickled or problem, limits)

    return reader


def _failed(path: Path, form: Format, error: ReadError, limits: Limits) -> Artifact:
    if error.kind == ProblemKind.UNREADABLE:
        form = Format.UNREADABLE
    file = error.file or display_path(path, path)
    found = _bare(path, form, problem_of(error, file), limits)
    # Of a model with files beside this one, not all are known.
    beside = isinstance(error, LimitExceeded) and form in _WITH_FILES_BESIDE
    return replace(found, sha256=None) if beside else found


def _bare(
    path: Path,
    form: Format,
    problem: Problem,
    limits: Limits,
    extra: dict[str, Json] | None = None,
) -> Artifact:
    """An artefact with nothing but its files and a problem."""
    files: tuple[FileEntry, ...] = ()
    if path.is_file():
        files = (file_entry(path, path, "", limits),)
    return Artifact(
        root=path.absolute(),
        format=form,
        files=files,
        sha256=model_digest(files),
        complete=False,
        problems=(problem,),
        extra=extra or {},
    )


def _unreadable(path: Path, _limits: Limits) -> Artifact:
    """Try to open the path again, to report the reason."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            open_regular(path).close()
    except OSError as error:
        raise ReadError(ProblemKind.UNREADABLE, path.name, error.strerror or str(error)) from error
    raise ReadError(ProblemKind.UNREADABLE, path.name, "cannot be read")


def _head(path: Path) -> bytes:
    with open_regular(path) as handle:
        return handle.read(1 << 16) or b""


Reader = Callable[[Path, Limits], Artifact]

_READERS: dict[Format, Reader] = {
    Format.LEGACY_H5_FULL: _hdf5,
    Format.WEIGHTS_H5_LEGACY: _hdf5,
    Format.WEIGHTS_H5_V3: _hdf5,
    Format.HDF5_OTHER: _hdf5,
    Format.CORRUPT_HDF5: _damaged_hdf5,
    Format.NPZ_WEIGHTS: _npz,
    Format.KERAS_ARCHIVE: _archive,
    Format.KERASHUB_PRESET: _preset,
    Format.CORRUPT_ARCHIVE: _archive,
    Format.SAVEDMODEL_TF1: _saved_model,
    Format.SAVEDMODEL_TF2: _saved_model,
    Format.CORRUPT_SAVEDMODEL: _saved_model,
    Format.SESSION_BUNDLE: _session_bundle,
    Format.TF1_CHECKPOINT: _checkpoint,
    Format.TF1_CHECKPOINT_V1: _checkpoint,
    Format.TF2_CHECKPOINT: _checkpoint,
    Format.ORBAX: _orbax,
    Format.FROZEN_GRAPH: _frozen_graph,
    Format.TFLITE: _tflite,
    Format.TFJS_LAYERS: _tfjs,
    Format.TFJS_GRAPH: _tfjs,
    Format.GIT_LFS_POINTER: _lfs_pointer,
    Format.PLUGIN: _plugin,
    Format.UNREADABLE: _unreadable,
}
_MODULES: dict[Reader, str] = {
    _hdf5: "modelaudit.formats.keras.hdf5_reader",
    _npz: "modelaudit.formats.npz",
    _archive: "modelaudit.formats.keras.archive",
    _preset: "modelaudit.formats.keras.preset",
    _saved_model: "modelaudit.formats.saved_model.reader",
    _session_bundle: "modelaudit.formats.saved_model.reader",
    _checkpoint: "modelaudit.formats.checkpoint.reader",
    _orbax: "modelaudit.formats.orbax.reader",
    _frozen_graph: "modelaudit.formats.graph.frozen_graph",
    _tflite: "modelaudit.formats.tflite.reader",
    _tfjs: "modelaudit.formats.tfjs.reader",
}


def import_readers(forms: Iterable[Format | None]) -> None:
    """Import what reads these formats, so that no worker that is forked later needs to."""
    for form in forms:
        reader = _READERS.get(form) if form else None
        if reader in _MODULES:
            import_module(_MODULES[reader])
