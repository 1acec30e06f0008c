"""How far models can be isolated on this machine, found out by trying."""

from __future__ import annotations

import json
import os
import shutil
import tempfile

from modelaudit.probe import sandbox

POLICY = {"readable": [], "listable": [], "address_space": 1 << 30, "cpu": 10, "file_size": 0}


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
