"""A file with the name of a checkpoint's prefix, which stands before the checkpoint."""

from __future__ import annotations

import glob
from pathlib import Path

from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.structs import replace


def with_hidden_checkpoint(artifact: Artifact, path: Path) -> Artifact:
    """The artifact of a file, with a remark if a checkpoint is called like it.

    The path of the file is that of the checkpoint as well, so only one of them can be audited.
    """
    index = path.with_name(f"{path.name}.index")
    if not (path.is_file() and index.is_file()):
        return artifact
    if not any(path.parent.glob(f"{glob.escape(path.name)}.data-*-of-*")):
        return artifact
    detail = (
        f"has the name of a checkpoint beside it ({index.name}), which `load_weights` of Keras 2 "
        "reads in its place; that was not audited: move one of them"
    )
    remark = Problem(ProblemKind.OTHER, path.name, detail)
    return replace(artifact, problems=(*artifact.problems, remark))
