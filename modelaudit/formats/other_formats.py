"""Files that look like models but are not TensorFlow or Keras models, with the reason."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.file_formats import MODEL_SUFFIXES, Format
from modelaudit.formats.io.bounded import open_regular, printable

HEAD_BYTES = 4096


class OtherFormat(Struct, frozen=True):
    """A format of files that look like models but are not read: they are listed by name.

    Attributes:
        label: the name of the format.
        suffixes: suffixes of such files, in lower case.
        magic: bytes at `offset` that identify the format, whatever the name.
        json: for JSON files: alternative sets of strings, all of which occur near the beginning.
        members: pattern of the name of a member that ZIP archives of this format have.
        note: a note after the label.
    """

    label: str
    suffixes: tuple[str, ...] = ()
    magic: bytes = b""
    offset: int = 0
    json: tuple[tuple[bytes, ...], ...] = ()
    members: str = ""
    note: str = "not TensorFlow/Keras"

    @property
    def told_by(self) -> str:
        """How such a file is recognised, for the docs."""
        ways = [f"`{suffix}`" for suffix in self.suffixes]
        printed = self.magic.decode("latin-1").replace("\n", " ").strip()
        shown = printed if printed.isprintable() else self.magic.hex(" ")
        ways += [f"`{shown}` at byte {self.offset}"] if self.magic else []
        for texts in self.json:
            ways.append(f"JSON with {' and '.join(f'`{text.decode()}`' for text in texts)}")
        ways += [f"members of a ZIP archive: `{self.members}`"] if self.members else []
        return ", ".join(ways)

    @property
    def reason(self) -> str:
        """Why such a file is not read."""
        return f"{self.label}, {self.note}"

    def matches(self, name: str, head: bytes) -> bool:
        """Whether a file with this name and these first bytes has this format."""
        if self.magic and head[self.offset :].startswith(self.magic):
            return True
        if self.json and head.lstrip()[:1] == b"{":
            return any(all(text in head for text in texts) for texts in self.json)
        return bool(self.suffixes) and name.lower().endswith(self.suffixes)


# macOS writes `._NAME` for each NAME on disks and into archives that cannot hold its attributes.
APPLE_DOUBLE = OtherFormat(
    "attributes that macOS stores beside a file (AppleDouble)",
    magic=bytes.fromhex("0005160700020000"),
    note="no model",
)
ARCHITECTURE = OtherFormat(
    "Keras architecture as JSON", json=((b'"class_name"', b'"config"'),), note="without weights"
)
OTHER_FORMATS: tuple[OtherFormat, ...] = (
    APPLE_DOUBLE,
    OtherFormat("Stable-Baselines3 model of PyTorch", members="_stable_baselines3_version"),
    OtherFormat("ONNX model", (".onnx",)),
    OtherFormat("PyTorch model", (".pt", ".pth"), members=r"[^/]+/data\.pkl|[^/]+\.pth?"),
    OtherFormat("safetensors weights", (".safetensors",)),
    OtherFormat("OpenVINO model", magic=b'<?xml version="1.0"?>\n<net '),
    OtherFormat("Python pickle (never opened)", (".pkl", ".pickle", ".cloudpickle")),
    OtherFormat("joblib pickle (never opened)", (".joblib",)),
    OtherFormat("Core ML model", (".mlmodel",)),
    OtherFormat("GGUF weights", (".gguf",), magic=b"GGUF"),
    OtherFormat(
        "profile of TensorBoard",
        (
            *(".xplane.pb", ".tensorflow_stats.pb", ".overview_page.pb", ".input_pipeline.pb"),
            *(".kernel_stats.pb", ".op_stats.pb", ".pod_viewer.pb", ".hlo_proto.pb"),
        ),
        note="no model",
    ),
    ARCHITECTURE,
)

_OF_MACOS = frozenset(("__MACOSX", ".DS_Store"))

# Names of unfinished downloads and copies: by the tools of Hugging Face and Google Cloud, browsers,
# curl and scp; and by rsync (`.NAME.Ab12Cd`) and the AWS CLI (`NAME.1a2B3c4D`).
_UNFINISHED = re.compile(
    r".+(\.incomplete|_\.gstmp|\.part|\.partial|\.filepart|\.crdownload|\.tmp)"
    r"|\..+\.[A-Za-z0-9]{6}|.+\.(keras|h5|hdf5)\.[0-9A-Fa-f]{8}",
    re.DOTALL,
)


# What the profiler of TensorFlow writes; of a machine without a GPU, there are no kernels.
_PROFILE = re.compile(
    r".+\.(xplane|(kernel|tensorflow|framework_op)_stats|overview_page|input_pipeline|op_profile"
    r"|memory_profile)\.pb",
    re.DOTALL,
)


def broken_by_name(name: str, form: Format) -> str:
    """What a damaged or empty file is that is named like no model that is finished; or ""."""
    if form is Format.EMPTY_FILE and _PROFILE.fullmatch(name):
        return "record of TensorFlow's profiler, without content"
    return "unfinished copy or download" if _UNFINISHED.fullmatch(name) else ""


class Unsupported(Struct, frozen=True):
    """What a file is that looks like a model and is not supported.

    Attributes:
        reason: what it is, in words.
        content: a code of what there is special advice for: `architecture` or `nested-archive`.
    """

    reason: str
    content: str = ""


def unsupported_reason(name: str, head: bytes) -> str | None:
    """Why a file that looks like a model is not supported; see `unsupported_file`."""
    found = unsupported_file(name, head)
    return found.reason if found else None


def unsupported_file(name: str, head: bytes) -> Unsupported | None:
    """What a file is that looks like a model and is not supported; None if it looks like none.

    Args:
        name: the file's name.
        head: its first `HEAD_BYTES` bytes.
    """
    promised = name.lower().endswith(tuple(MODEL_SUFFIXES))
    if promised and head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return Unsupported(
            "an HTML page that was saved in place of the file: download the file itself"
        )
    known = next((each for each in OTHER_FORMATS if each.matches(name, head)), None)
    if known is None:
        return None
    return Unsupported(known.reason, "architecture" if known is ARCHITECTURE else "")


def other_archive(members: Collection[str]) -> Unsupported | None:
    """What a ZIP archive is that is no Keras archive, by the names of its members."""
    for each in OTHER_FORMATS:
        if each.members and any(re.fullmatch(each.members, name) for name in members):
            return Unsupported(f"has another format: {each.reason}")
    tops = {name.partition("/")[0] for name in members} - _OF_MACOS
    top = next(iter(tops)) if len(tops) == 1 else ""
    inside = {name.removeprefix(f"{top}/") for name in members if name.startswith(f"{top}/")}
    if {"config.json", "model.weights.h5"} <= inside:
        where = "but Keras looks for them at the top of the archive"
        said = f"has the files of a Keras archive in `{printable(top)}/`, {where}"
        return Unsupported(said, "nested-archive")
    return None


def head(path: Path) -> bytes:
    """The first `HEAD_BYTES` bytes of a file.

    Raises:
        ReadError: `unreadable`.
    """
    with open_regular(path) as handle:
        try:
            return handle.read(HEAD_BYTES)
        except OSError as error:
            raise ReadError(ProblemKind.UNREADABLE, path.name, str(error)) from error


def is_apple_double(path: Path) -> bool:
    """Whether a file has the attributes of another one, whose name and suffix it shares."""
    return path.name.startswith("._") and starts_with(path, (APPLE_DOUBLE.magic,))


def starts_with(path: Path, magic: tuple[bytes, ...]) -> bool:
    """Whether a file can be read and starts with one of these bytes."""
    try:
        return head(path).startswith(magic)
    except ReadError:
        return False
