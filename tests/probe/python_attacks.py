"""Attacks by Python code in a model file, one function each.

Each is the body of a Keras 2 `Lambda` layer, called with its tensor `x` and `place`, the targets.
It imports what it needs, because only its code object is saved in the file. A successful attack
does limited harm.
"""

from __future__ import annotations


def write(x, place):
    from pathlib import Path

    Path(place["canary"], "written").touch()
    return x


def read(x, place):
    from pathlib import Path

    raise RuntimeError(Path(place["secret"]).read_text())


def listing(x, place):
    import os

    raise RuntimeError(os.listdir(place["canary"]))


def delete(x, place):
    from pathlib import Path

    Path(place["secret"]).unlink()
    return x


def change_mode(x, place):
    from pathlib import Path

    Path(place["canary"]).chmod(0o700)
    return x


def tcp(x, place):
    import socket

    socket.create_connection(("127.0.0.1", place["tcp"]), 1).send(b"x")
    return x


def udp(x, place):
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", place["udp"]))
    return x


def unix(x, place):
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(place["unix"])
    return x


def execute(x, place):
    import os

    os.execv("/bin/touch", ["touch", place["canary"] + "/executed"])
    return x


def shell(x, place):
    import subprocess

    subprocess.run(["/bin/sh", "-c", "touch " + place["canary"] + "/executed"], check=True)
    return x


def fork_bomb(x, place):
    import os
    import time

    for _ in range(1000):
        if os.fork() == 0:
            time.sleep(10)
            os._exit(0)
    return x


def kill_parent(x, place):
    import os
    import signal

    os.kill(os.getppid(), signal.SIGKILL)
    return x


def raise_limits(x, place):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return x


def memory(x, place):
    held = [bytearray(b"x" * (64 << 20)) for _ in range(50)]
    return x + len(held)


def disk(x, place):
    from pathlib import Path

    for number in range(100):
        Path(str(number)).write_bytes(bytes(32 << 20))
    return x


def many_files(x, place):
    from pathlib import Path

    for number in range(30_000):
        Path(str(number)).touch()
    return x


def nest(x, place):
    import os
    from pathlib import Path

    for _ in range(1500):
        Path("deep").mkdir()
        os.chdir("deep")
    Path("closed").mkdir(0o300)
    while True:
        pass


def spin(x, place):
    while True:
        pass


def sleep(x, place):
    import time

    time.sleep(3600)
    return x


def leave(x, place):
    import os

    os._exit(0)


def segfault(x, place):
    import ctypes

    ctypes.string_at(0)
    return x


def fake_answer(x, place):
    import json
    import os

    text = json.dumps({"ok": True, "token": "guessed", "arrays": []}).encode()
    os.write(3, len(text).to_bytes(4, "little") + text)
    return x


def stolen_token(x, place):
    import json
    import os
    import sys

    frame = sys._getframe()
    while "token" not in frame.f_locals:
        frame = frame.f_back
    said = {"ok": True, "token": frame.f_locals["token"], "arrays": []}
    said["inputs"] = said["outputs"] = said["layers"] = said["notes"] = [{"shape": [-1]}]
    text = json.dumps(said).encode()
    os.write(3, 2 * (len(text).to_bytes(4, "little") + text))
    return x


def flood(x, place):
    import os

    while True:
        os.write(1, b"x" * (1 << 20))


ATTACKS = (
    *(write, read, listing, delete, change_mode),
    *(tcp, udp, unix),
    *(execute, shell, fork_bomb, kill_parent, raise_limits),
    *(memory, disk, many_files, nest, spin, sleep, leave, segfault),
    *(fake_answer, stolen_token, flood),
)
