"""The commands of the README and the guides, run where TensorFlow and the readers are imported."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.command_line import ROOT, isolated


def readme_output() -> ModuleType:
    """The module of `scripts/readme_output.py`."""
    path = ROOT / "scripts" / "readme_output.py"
    spec = importlib.util.spec_from_file_location("readme_output", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # needed by dataclasses
    spec.loader.exec_module(module)
    return module


def pages_run(folder: Path) -> None:
    """Run all commands in `folder`, and write what is not as shown to `differences` there.

    Plain commands of modelaudit run in this process, which saves the start of TensorFlow for each
    that runs a model; pipelines and commands of other programs run in a shell.
    """
    script = readme_output()
    in_a_shell = script.said_by

    def said_by(command: str, folder: Path, given: str = "") -> tuple[str, int]:
        words = shlex.split(command)
        if words[0] != "modelaudit" or "|" in words:
            return in_a_shell(command, folder, given)
        formats = {"MODELAUDIT_FORMAT": "html"} if words[1] == "audit" else {}  # as in `prepare`
        code, _, _, said = isolated(*words[1:], cwd=folder, env={"NO_COLOR": "1"} | formats)
        return said, code

    script.prepare(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "said_by", said_by)
        found = [line for page in script.PAGES for line in script.fresh(page, folder)[1]]
    (folder / "differences").write_text("\n".join(found))
