"""Small models of every kind of path to sign, and what this package says of their signatures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz.seeds import frozen_graph, tfjs_model, v3_weights
from modelaudit.audit_types.signing import SignatureRow, SigningSection
from modelaudit.formats.reader import read_artifact
from modelaudit.settings import Limits, Settings
from modelaudit.settings.signing import SigningTable, read_signing
from modelaudit.signing.check import check_signatures
from tests.command_line import ROOT
from tests.made.presets import preset
from tests.made.signing import CREATED, Authority

SAMPLES = ROOT / "sample_models"
FILES = {
    "keras": "digits_robust.keras",
    "h5": "digits_noaug.h5",
    "tflite": "digits_robust_bytes.tflite",
}
FOLDERS = {
    "tf1-savedmodel": "digits_tf1_savedmodel",
    "tf2-savedmodel": "digits_statistics_lost",
    "checkpoint": "digits_tf1_checkpoint",
}
MADE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npz": ("weights.npz", lambda path: np.savez(path, kernel=np.ones((2, 3), np.float32))),
    "weights-h5": ("m.weights.h5", v3_weights),
    "frozen-graph": ("m.pb", lambda path: path.write_bytes(frozen_graph())),
    "tfjs": ("web", tfjs_model("uint8")),
    "preset": ("preset", preset),
}
KINDS = (*FILES, *FOLDERS, *MADE)
PARTS = ("lenet.ckpt", "model.json")  # what is audited of a signed directory


def copy_of(kind: str, folder: Path) -> Path:
    """A model of this kind: what is signed."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind in MADE:
        name, write = MADE[kind]
        path = folder / name
        write(path)
    elif kind in FILES:
        path = folder / FILES[kind]
        shutil.copyfile(SAMPLES / FILES[kind], path)
    else:
        path = folder / FOLDERS[kind]
        shutil.copytree(SAMPLES / FOLDERS[kind], path)
    return path


def signature_of(model: Path) -> Path:
    """Where a signature of this model lies: inside a directory, else beside the file."""
    return model / "model.sig" if model.is_dir() else Path(f"{model}.sig")


def audited(model: Path) -> Path:
    """The path that is audited of what was signed: a checkpoint is a prefix in a directory."""
    return next((model / part for part in PARTS if [*model.glob(f"{part}*")]), model)


def damage(model: Path) -> None:
    """Change one byte of one file."""
    files = sorted(model.rglob("*")) if model.is_dir() else [model]
    big = max(
        (f for f in files if f.is_file() and f.suffix != ".sig"), key=lambda f: f.stat().st_size
    )
    data = bytearray(big.read_bytes())
    data[-1] ^= 1
    big.write_bytes(data)


def trusting(*authorities: Authority, by: str = "key", **more: object) -> SigningTable:
    names = {"key": ("public_keys", "pub"), "certificate": ("certificates", "root.pem")}
    setting, file = names[by]
    return SigningTable(**{setting: tuple(str(a.folder / file) for a in authorities)}, **more)


def checked(
    model: Path, table: SigningTable | None = None, limits: Limits | None = None
) -> SigningSection:
    limits = limits or Limits()
    signing = read_signing(table or SigningTable(), Path())
    settings = Settings(signing=signing, limits=limits)
    artifact = read_artifact(audited(model), limits)
    return check_signatures(artifact, settings, CREATED)


def only(section: SigningSection) -> SignatureRow:
    (row,) = section.found
    return row
