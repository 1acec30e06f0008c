"""Further attempts of other kinds than in `escape_attempts`, by which a model reaches outside.

Most change nothing that is visible from outside, and succeed if the kernel permits them.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from tests.probe.escape_attempts import Attempt, Target, call, libc, reached

FURTHER: dict[str, Attempt] = {}


def further(attempt: Attempt) -> Attempt:
    FURTHER[attempt.__name__] = attempt
    return attempt


@further
def signal_through_a_pipe(target: Target) -> bool:
    """The owner of a descriptor gets a signal of choice when data arrives."""
    receive, send = os.pipe()
    fcntl.fcntl(receive, fcntl.F_SETOWN, target["victim"])
    fcntl.fcntl(receive, 10, signal.SIGTERM)  # F_SETSIG
    fcntl.fcntl(receive, fcntl.F_SETFL, fcntl.fcntl(receive, fcntl.F_GETFL) | os.O_ASYNC)
    os.write(send, b"x")
    time.sleep(0.05)  # until it has ended
    return True


@further
def lease(target: Target) -> None:
    with Path(target["file"]).open() as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)


@further
def lock_of_the_whole_file(target: Target) -> None:
    with Path(target["file"]).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@further
def lock_of_a_record(target: Target) -> None:
    with Path(target["file"]).open() as file:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


@further
def directory_watched(target: Target) -> None:
    folder = os.open(Path(target["file"]).parent, os.O_RDONLY)
    fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY)


@further
def outlive_the_parent(target: Target) -> bool:
    return reached(libc("prctl", 1, 0, 0, 0, 0))


@further
def leave_a_core(target: Target) -> bool:
    return reached(libc("prctl", 4, 1, 0, 0, 0))


@further
def adopt_processes(target: Target) -> bool:
    return reached(libc("prctl", 36, 1, 0, 0, 0))


@further
def quota_of_signals_by_timers(target: Target) -> bool:
    given = ctypes.create_string_buffer(64)
    return all(reached(call((222, 107), 1, None, given)) for _ in range(500))


@further
def quota_of_signals_by_signals(target: Target) -> bool:
    number = signal.SIGRTMIN + 5
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    for _ in range(500):
        os.kill(os.getpid(), number)
    with Path("/proc/self/status").open() as status:
        queued = next(line for line in status if line.startswith("SigQ")).split()[1]
    return int(queued.partition("/")[0]) >= 500


@further
def quota_of_pipes(target: Target) -> None:
    fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)  # F_SETPIPE_SZ


@further
def quota_of_locked_memory(target: Target) -> bool:
    held = mmap.mmap(-1, 1 << 14)
    return reached(libc("mlock", ctypes.c_void_p(address_of(held)), ctypes.c_size_t(1 << 14)))


def address_of(held: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(held))


@further
def quota_of_processes(target: Target) -> bool:
    """Threads count as processes of the user, and as numbers of processes of the machine."""
    stop = threading.Event()
    threading.stack_size(1 << 16)
    started = []
    with contextlib.suppress(RuntimeError):
        for _ in range(2500):
            thread = threading.Thread(target=stop.wait, daemon=True)
            thread.start()
            started.append(thread)
    stop.set()
    for thread in started:
        thread.join()
    return len(started) == 2500


@further
def memory_of_another_moved(target: Target) -> bool:
    node = array.array("L", [1])
    mask = ctypes.c_void_p(node.buffer_info()[0])
    return reached(call((256, 238), target["victim"], 2, mask, mask))


@further
def pages_of_another(target: Target) -> bool:
    page, status = array.array("L", [0x1000]), array.array("i", [0])
    pages = [ctypes.c_void_p(each.buffer_info()[0]) for each in (page, status)]
    return reached(call((279, 239), target["victim"], 1, pages[0], None, pages[1], 0))


@further
def pointer_of_another(target: Target) -> bool:
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    return reached(call((274, 100), target["victim"], ctypes.byref(head), ctypes.byref(size)))


@further
def environment_of_another(target: Target) -> bool:
    return bool(Path(f"/proc/{target['victim']}/environ").read_bytes())


@further
def next_to_be_killed(target: Target) -> None:
    Path(f"/proc/{target['parent']}/oom_score_adj").write_text("500")


@further
def group_of_another(target: Target) -> bool:
    return os.getpgid(target["victim"]) > 0


@further
def file_into_a_pipe(target: Target) -> bool:
    with Path(target["file"]).open("rb") as file:
        return os.pread(file.fileno(), 1, 0) and splice(file.fileno(), os.pipe()[1]) > 0


def splice(source: int, sink: int) -> int:
    start = ctypes.c_longlong(0)
    return libc("splice", source, ctypes.byref(start), sink, None, ctypes.c_size_t(4), 0)


@further
def memory_into_a_pipe(target: Target) -> bool:
    data = ctypes.create_string_buffer(b"data")
    vector = struct.pack("<QQ", ctypes.addressof(data), 4)
    return libc("vmsplice", os.pipe()[1], vector, ctypes.c_size_t(1), 0) > 0


@further
def interrupt_all_processors(target: Target) -> bool:
    return reached(call((324, 283), 1, 0, 0))  # MEMBARRIER_CMD_GLOBAL


@further
def cached_pages_dropped(target: Target) -> None:
    with Path(target["file"]).open() as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@further
def cached_pages_counted(target: Target) -> bool:
    with Path(target["file"]).open() as file:
        span, seen = struct.pack("<QQ", 0, 0), ctypes.create_string_buffer(40)
        return reached(call((451, 451), file.fileno(), span, seen, 0))


@further
def handle_of_the_supervisor(target: Target) -> bool:
    held = socket.socket(fileno=os.dup(target["channel"]))
    return held.getsockopt(socket.SOL_SOCKET, 77) >= 0  # SO_PEERPIDFD


@further
def descriptor_sent_away(target: Target) -> bool:
    held = socket.socket(fileno=os.dup(target["channel"]))
    return socket.send_fds(held, [b"x"], [os.open("/dev/null", os.O_RDONLY)]) > 0


@further
def hard_link(target: Target) -> None:
    os.link(target["file"], "linked")


@further
def link_for_the_supervisor(target: Target) -> None:
    Path("symbolic").symlink_to(target["file"])


@further
def pipe_for_the_supervisor(target: Target) -> None:
    os.mkfifo("fifo")


@further
def replaced_from_the_scratch_directory(target: Target) -> None:
    Path("new").touch()
    Path("new").rename(target["file"] + ".new")


@further
def kernel_messages(target: Target) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


@further
def key_of_the_user(target: Target) -> bool:
    user_keyring = -4
    return reached(call((248, 217), b"user", b"modelaudit-test", b"x", 1, user_keyring))


@further
def namespace_of_its_own(target: Target) -> bool:
    return reached(libc("unshare", 0x10000000))  # CLONE_NEWUSER


@further
def overridden_calls(target: Target) -> bool:
    """A filter whose listener answers the calls of this process."""
    allow = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
    steps = ctypes.create_string_buffer(allow)
    program = struct.pack("<HxxxxxxQ", 1, ctypes.addressof(steps))
    libc("prctl", 38, 1, 0, 0, 0)
    return reached(call((317, 277), 1, 8, program))


@further
def times_of_a_file(target: Target) -> None:
    os.utime(target["file"], (1, 1))


@further
def fixed_addresses(target: Target) -> bool:
    return reached(libc("personality", ctypes.c_ulong(0x0040000)))


@further
def node_of_memory(target: Target) -> bool:
    return reached(call((238, 237), 0, None, 0))


@further
def shortened(target: Target) -> None:
    os.truncate(target["file"], 0)


@further
def mode_of_a_file(target: Target) -> None:
    Path(target["file"]).chmod(0o600)


@further
def limit_of_the_parent(target: Target) -> bool:
    resource.prlimit(target["parent"], resource.RLIMIT_NOFILE, (64, 64))
    return True


@further
def compared_with_another(target: Target) -> bool:
    """Whether two processes share a kernel object tells its address, bit by bit."""
    return call((312, 272), os.getpid(), target["victim"], 0, 0, 0) >= 0


@further
def clock_of_another(target: Target) -> bool:
    """How long it has run, by which its work can be observed."""
    clock = (~target["victim"] << 3) | 2
    return time.clock_gettime(clock) >= 0


@further
def handle_of_a_file(target: Target) -> bool:
    """A handle leads to the file whatever its directory is."""
    handle = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    path = target["file"].encode()
    return reached(call((303, 264), -100, path, handle, ctypes.byref(mount), 0))


@further
def exchanged(target: Target) -> bool:
    """Swap the model for another file in one step."""
    Path("other").write_text("x")
    return reached(libc("renameat2", -100, b"other", -100, target["file"].encode(), 2))


@further
def whole_file_system_written(target: Target) -> None:
    """Write back everything that all programs have written."""
    with Path(target["file"]).open() as file:
        libc("syncfs", file.fileno())
