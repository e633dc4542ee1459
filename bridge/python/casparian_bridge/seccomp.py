"""A filter on system calls: no sockets but pairs of streams, no namespaces, no tracing, none of what only administrators need.

It closes what network namespaces and Landlock leave open, such as Unix sockets that are files (a container engine's, a database's).
Refused calls answer "Operation not permitted". Source: seccomp(2); numbers from asm/unistd_64.h and asm-generic/unistd.h.
"""

import ctypes
import errno
import platform
import signal
import struct

from . import kernel

_SECCOMP_MODE_FILTER = 2
_PR_SET_SECCOMP = 22
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NEW_NAMESPACE = 0x7E020080

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

_SHARED = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip
_REFUSED = {
    "x86_64": {
        "shmget": 29, "socket": 41, "connect": 42, "bind": 49, "listen": 50, "semget": 64, "msgget": 68, "ptrace": 101, "pivot_root": 155,
        "acct": 163, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172, "ioperm": 173,
        "init_module": 175, "delete_module": 176, "quotactl": 179, "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249,
        "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, **_SHARED,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "quotactl": 60, "acct": 89, "unshare": 97, "kexec_load": 104, "init_module": 105,
        "delete_module": 106, "ptrace": 117, "reboot": 142, "mq_open": 180, "msgget": 186, "semget": 190, "shmget": 194, "socket": 198,
        "bind": 200, "listen": 201, "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
        "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294, **_SHARED,
    },
}  # fmt: skip
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
_CLONE = {"x86_64": 56, "aarch64": 220}
_PRCTL = {"x86_64": 157, "aarch64": 167}
_KILL_CALL = {"x86_64": 62, "aarch64": 129}
_CLONE3 = 435


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def supported() -> bool:
    """Whether the machine's kind is known here and the kernel has filters."""
    if platform.machine() not in _REFUSED:
        return False
    try:
        kernel.prctl(21, 0)  # PR_GET_SECCOMP
    except OSError:
        return False
    return True


def restrict(parent: bool) -> None:
    """Applies the filter to this process and all that come from it. The warm parent still makes the namespaces of its jobs. Needs
    no_new_privs."""
    code = _PARENT_PROGRAM if parent else _PROGRAM
    program = _Program(len(code) // 8, code)
    kernel.call("prctl", _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0))


def _program(machine: str, parent: bool) -> bytes:
    """Instructions of classic BPF over struct seccomp_data: number at 0, architecture at 4, arguments from 16, 8 bytes each."""
    refuse, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _AUDIT_ARCHITECTURE[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if machine == "x86_64":  # the x32 calls have numbers of their own
        lines += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, unknown)]
    for name, number in _REFUSED[machine].items():
        if parent and name in ("unshare", "setns"):
            continue
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # clone3's flags are out of a filter's sight; the C library falls back to clone.
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, unknown)]
    lines += _refused_when(_CLONE[machine], 16, [(_ANY_BIT, 0, 1, _NEW_NAMESPACE)], refuse)
    # A datagram socket of a pair can still be connected to a path.
    lines += _refused_when(_SOCKETPAIR[machine], 24, [(_AND, 0, 0, 0xF), (_EQUAL, 0, 1, 2)], refuse)
    if not parent:
        # In a namespace of its own the plugin's process is number 1, which the kernel keeps from killing itself; so the filter does it.
        lines += [
            (_EQUAL, 0, 7, _KILL_CALL[machine]),
            (_LOAD, 0, 0, 16),
            (_EQUAL, 0, 3, 1),
            (_LOAD, 0, 0, 24),
            (_EQUAL, 0, 1, signal.SIGKILL),
        ]
        lines += [(_RETURN, 0, 0, _KILL), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ALLOW)]
        lines += _refused_when(_PRCTL[machine], 16, [(_EQUAL, 0, 1, kernel.PR_SET_PDEATHSIG)], refuse)
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _refused_when(number: int, argument: int, tests: list[tuple[int, int, int, int]], refuse: int) -> list[tuple[int, int, int, int]]:
    return [(_EQUAL, 0, len(tests) + 3, number), (_LOAD, 0, 0, argument), *tests, (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]


_PROGRAM, _PARENT_PROGRAM = (_program(platform.machine(), parent) if platform.machine() in _REFUSED else b"" for parent in (False, True))
