"""How far models can be isolated on this machine, found out by trying."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping

from modelaudit.probe import bubblewrap, sandbox

POLICY = {"readable": [], "listable": [], "address_space": 1 << 30, "cpu": 10, "file_size": 0}


def containment(layers: Mapping[str, bool | str]) -> str:
    """What the layers that are there mean for running models, in a sentence."""
    missing = [layer for layer in sandbox.REQUIRED if layers[layer] is not True]
    if not missing:
        return "Models are contained here by all that --require-sandbox asks for."
    lost = " and ".join(missing)
    advice = "add --require-sandbox, which then runs none, or --no-probe"
    if missing == ["landlock"] and not bubblewrap.why_not():
        advice = "add --sandbox bwrap, which hides all other files"
    return f"Models are NOT fully contained here for want of {lost}. For untrusted ones: {advice}."


def sandbox_layers() -> dict[str, bool | str]:
    """Each layer of `sandbox.LAYERS` -> True where this machine has it, else why it has not.

    A forked child enters the sandbox, for there is no way back out of it.
    """
    scratch = tempfile.mkdtemp(prefix="modelaudit-")
    try:
        answer, child_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                report = sandbox.enter({**POLICY, "scratch": scratch})
                os.write(child_end, json.dumps(report).encode())
            finally:
                os._exit(0)
        os.close(child_end)
        with os.fdopen(answer, "rb") as pipe:
            said = pipe.read()
        status = os.waitpid(child, 0)[1]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not said:
        return dict.fromkeys(sandbox.LAYERS, f"the attempt ended with status {status}")
    report = json.loads(said)
    return {layer: report.get(layer, "not tried") for layer in sandbox.LAYERS}
