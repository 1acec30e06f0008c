"""Which sandbox layers this machine supports, determined by trying them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from modelaudit.probe.child import sandbox
from modelaudit.probe.host import bubblewrap, scratch_dirs

POLICY = {"readable": [], "listable": [], "address_space": 1 << 30, "cpu": 10, "file_size": 0}
NOT_TRIED = "not tried"


def containment(layers: Mapping[str, bool | str]) -> str:
    """What the available layers mean for running models, as a sentence."""
    if layers["limits"] == NOT_TRIED:
        return f"Models cannot be run here: {layers['unprivileged']}."
    missing = [layer for layer in sandbox.REQUIRED if layers[layer] is not True]
    if not missing:
        return "Models are contained here by all layers that --require-sandbox requires."
    lost = " and ".join(missing)
    advice = "add --require-sandbox, which then runs no model, or --no-probe"
    if missing == ["landlock"] and not bubblewrap.unavailable_reason():
        advice = "add --sandbox bwrap, which hides all other files"
    return f"Models are NOT fully contained here without {lost}. For untrusted models, {advice}."


def sandbox_layers() -> dict[str, bool | str]:
    """Layer of `sandbox.LAYERS` -> True if this machine supports it, else the reason.

    A forked child enters the sandbox, since a process cannot leave it.
    """
    with scratch_dirs.scratch_directory() as folder:
        folder.chmod(0o711)
        private = folder / "private"
        private.mkdir(0o700)
        answer, child_end = os.pipe()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                os.write(child_end, json.dumps(_tried(str(private), parent)).encode())
            finally:
                os._exit(0)
        os.close(child_end)
        with os.fdopen(answer, "rb") as pipe:
            said = pipe.read()
        status = os.waitpid(child, 0)[1]
    if not said:
        return dict.fromkeys(sandbox.LAYERS, f"the attempt ended with status {status}")
    report = json.loads(said)
    return {layer: report.get(layer, NOT_TRIED) for layer in sandbox.LAYERS}


def _tried(folder: str, parent: int) -> Mapping[str, bool | str]:
    try:
        return sandbox.enter({**POLICY, "scratch": folder, "parent": parent})
    except OSError as error:  # no model can be run
        return dict.fromkeys(sandbox.LAYERS, NOT_TRIED) | {"unprivileged": str(error)}
