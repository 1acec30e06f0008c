"""Directories of minimal models recognised by their bytes, and the rows found in them."""

from modelaudit.registry.discover import discover
from modelaudit.settings import Limits

# The smallest valid SavedModel message: saved_model_schema_version = 1, and an
# empty MetaGraphDef.
SAVED_MODEL = b"\x08\x01\x12\x00"


def saved_model(directory):
    directory.mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(SAVED_MODEL)
    variables = directory / "variables"
    variables.mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001", "checkpoint"):
        (variables / name).write_bytes(b"x")
    (directory / "assets").mkdir()
    (directory / "assets" / "vocabulary.txt").write_bytes(b"x")
    return directory


def rows(path, **limits):
    return {model.relative: model for model in discover(path, Limits(**limits)).candidates}


def formats(path):
    return {relative: model.format for relative, model in rows(path).items()}


def reasons(path):
    return {named.path: named.reason for named in discover(path).named}


def checkpoint(directory, prefix="model.ckpt"):
    directory.mkdir(parents=True, exist_ok=True)
    for part in (".index", ".meta", ".data-00000-of-00001"):
        (directory / f"{prefix}{part}").write_bytes(b"x")
    (directory / "checkpoint").write_text(f'model_checkpoint_path: "{prefix}"\n')
    return directory
