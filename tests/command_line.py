"""The command as a user runs it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_models"


def command(*arguments):
    """The command line that starts modelaudit in a new process."""
    return [sys.executable, "-m", "modelaudit", *map(os.fspath, arguments)]


def run_command(*arguments, cwd=ROOT, env=None):
    """Run the command's entry point in this process, which has imported what it needs.

    Starting Python and importing NumPy, h5py and click again takes half a second each time.
    """
    code, out, err, _ = isolated(*arguments, cwd=cwd, env=env or {})
    return CompletedProcess(arguments, code, out, err)


def isolated(*arguments, cwd, env):
    """The same: exit code, stdout, stderr, and both as a terminal shows them."""
    from modelaudit.cli import main

    alone = {name: None for name in os.environ if name.startswith("MODELAUDIT_")}
    alone |= {"OPENBLAS_NUM_THREADS": "1", "MODELAUDIT_JOBS": "1"} | env
    words, handler = sys.argv, signal.getsignal(signal.SIGTERM)
    frozen = gc.get_freeze_count() > 0  # packages that garbage is not looked for in: they stay so
    kept = mock.patch.object(gc, "freeze") if frozen else contextlib.nullcontext()
    with CliRunner().isolation(env=alone) as streams, contextlib.chdir(cwd), kept:
        sys.argv = ["modelaudit", *map(str, arguments)]
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code)
        finally:
            sys.argv = words
            signal.signal(signal.SIGTERM, handler)
            if not frozen:
                gc.unfreeze()
        sys.stdout.flush()
        sys.stderr.flush()
    said = (stream.getvalue().decode("utf-8", "surrogateescape") for stream in streams)
    return code, *said
