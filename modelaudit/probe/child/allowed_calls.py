"""The system calls that a model needs; all others are denied.

Measured with TensorFlow 1.15 to 2.21 (`strace -f` of children that load, call and save models of
all formats). Beside each measured call are its variants, which another libc or architecture uses
instead. Not on the list: what changes another process or a file's attributes, and what fills quotas
that the user's other programs share (timers, pipes, locked memory, watches).

Numbers are (x86_64, aarch64), None if there is no such call.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # Memory of the process, also of code that TensorFlow compiles, and on which node it lies.
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "brk": (12, 214),
    "msync": (26, 227),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "map_shadow_stack": (453, 453),
    "mseal": (462, 462),
    # Reading and writing what is open, and waiting for it.
    # No locks: HDF5 is told to do without (`HDF5_USE_FILE_LOCKING`).
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "lseek": (8, 62),
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    # Without these, gRPC ends the process. Some operations start a client, which then fails when it
    # opens a connection.
    "epoll_create": (213, None),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "eventfd": (284, None),
    "eventfd2": (290, 19),
    # Paths, of which Landlock decides.
    "open": (2, None),
    "openat": (257, 56),
    "creat": (85, None),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "truncate": (76, 45),
    # Threads of the process, and how they wait for each other.
    "futex": (202, 98),
    "futex_wait": (455, 455),
    "futex_wake": (454, 454),
    "futex_waitv": (449, 449),
    "futex_requeue": (456, 456),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "getcpu": (309, 168),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Signals that the process handles.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # Time, and sleep.
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "nanosleep": (35, 101),
    # What the process may know of itself and the machine.
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
}

OWN_PID = -1  # stands for the process ID of the child
CLOCKS = tuple(range(12))  # CLOCK_REALTIME to CLOCK_TAI
THREAD = 0x3D0F00  # the flags of pthread_create: everything is shared, no new namespace
PR_SET_NAME, PR_GET_NAME, PR_SET_VMA = 15, 16, 0x53564D41  # names of threads and of memory
PR_SVE_GET_VL = 51  # oneDNN takes an error on aarch64 for a vector length

# Allowed if the 32-bit words of the arguments have one of these values; word 2 n is the low half
# of argument n. The kernel ignores the high half of the others.
RESTRICTED: dict[str, tuple[tuple[int | None, int | None], dict[int, tuple[int, ...]]]] = {
    # Clocks of the machine and of this process: another number is that of another process.
    "clock_gettime": ((228, 113), {0: CLOCKS}),
    "clock_getres": ((229, 114), {0: CLOCKS}),
    "clock_nanosleep": ((230, 115), {0: CLOCKS}),
    # Musl adds CLONE_DETACHED.
    "clone": ((56, 220), {0: (THREAD, THREAD | 0x400000)}),
    "kill": ((62, 129), {0: (OWN_PID,)}),
    "tgkill": ((234, 131), {0: (OWN_PID,)}),
    # Own limits are read, not set: argument 2 points to new ones.
    "prlimit64": ((302, 261), {0: (0, OWN_PID), 4: (0,), 5: (0,)}),
    "prctl": (
        (157, 167),
        {0: (PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_SVE_GET_VL)},
    ),
    # oneDNN requests the registers for matrices: ARCH_GET_XCOMP_SUPP, _GET_ and _REQ_XCOMP_PERM.
    "arch_prctl": ((158, None), {0: (0x1021, 0x1022, 0x1023)}),
    # TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": ((16, 29), {2: (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)}),
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: no locks, leases, owners
    "fcntl": ((72, 25), {2: (0, 1, 2, 3, 4, 1030)}),
}

# Libraries try new calls, and do without where the kernel has none. Of clone3, the flags are
# behind a pointer; libc then uses clone.
CLONE3 = 435
NEWEST = 470  # the last known number; greater ones are unknown to this list
