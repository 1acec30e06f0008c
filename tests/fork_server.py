"""A process that has imported the modules in its arguments, and forks to run Python.

Reads a request a line, and answers with the exit status: see `tests.sharing.forked`. It runs no
ops of TensorFlow itself, so that a fork copies no thread pools.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import sys
import traceback
import types
from pathlib import Path

from tests.imports import cheap_tensorflow
from tests.short_training import short_training


def run(arguments: list[str], cwd: str, out: str, err: str, env: dict[str, str]) -> None:
    """Do what `python *arguments` does, in this process; returns when the program ends."""
    os.chdir(cwd)
    os.environ.update(env)
    for number, path in enumerate((os.devnull, out, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
    first, *sys.argv = arguments
    if first == "-c":
        program = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(sys.argv[0], "<string>", "exec"), vars(program))
        vars(program).clear()  # closes files
    elif first == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name="__main__")


def ended(*arguments) -> int:
    """The same in a child; its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        run(*arguments)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    short_training()
    gc.set_threshold(50_000, 20, 20)  # as in the process of the tests
    cheap_tensorflow()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.freeze()  # else each fork would copy what the first search for garbage looks through
    for line in sys.stdin:
        sys.stdout.write(f"{ended(*json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
