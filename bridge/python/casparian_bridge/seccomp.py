"""A filter on system calls: no sockets but pairs of streams, no namespaces, no tracing, no changes of what a file is beside its content,
no memory that no process is charged for, none of what only administrators need, nothing that is newer than this list.

It closes what network namespaces and Landlock leave open, such as Unix sockets that are files (a container engine's, a database's).
Refused calls answer "Operation not permitted". Source: seccomp(2), what systemd's @system-service and Docker's default leave out, and
what test/bridge/hostile tries.
"""

import ctypes
import errno
import functools
import platform
import signal
import socket
import struct

from . import kernel
from . import system_calls as calls

_SECCOMP_MODE_FILTER = 2
_PR_SET_SECCOMP = 22
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NEW_NAMESPACE = 0x7E020080
_SHARED_ANONYMOUS = 0x21

# Leases hold back those who would write the file; notices of folders use up what the user has.
_FILE_COMMANDS = (1024, 1026)
# Letters pushed into a terminal, a console's menu; a file's flags and project, which Landlock does not guard.
_DEVICE_COMMANDS = (0x5412, 0x541C, 0x40086602, 0x401C5820)

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

_Line = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def supported() -> bool:
    """Whether the machine's kind is known here and the kernel has filters."""
    if platform.machine() not in calls.REFUSED:
        return False
    try:
        kernel.prctl(21, 0)  # PR_GET_SECCOMP
    except OSError:
        return False
    return True


def restrict(parent: bool, tcp: bool = False) -> None:
    """Applies the filter to this process and all that come from it. The warm parent still makes the namespaces of its jobs. `tcp` lets it
    connect by TCP, for a namespace in which only granted hosts are to be found. Needs no_new_privs."""
    code = _program(platform.machine(), parent, tcp)
    if parent:
        _program(platform.machine(), False, tcp)  # once, for all forks
    program = _Program(len(code) // 8, code)
    kernel.call("prctl", _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0))


@functools.cache
def _program(machine: str, parent: bool, tcp: bool) -> bytes:
    """Instructions of classic BPF over struct seccomp_data: number at 0, architecture at 4, arguments from 16, 8 bytes each."""
    refuse, unknown, unsupported, done = (_ERRNO | number for number in (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, 0))
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, calls.AUDIT_ARCHITECTURE[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    # Among them the calls of x32, which have numbers of their own.
    lines += [(_AT_LEAST, 0, 1, calls.FIRST_UNKNOWN), (_RETURN, 0, 0, unknown)]
    for table, answer in ((calls.REFUSED, refuse), (calls.UNSUPPORTED, unsupported), (calls.PRETENDED, done)):
        for name, number in table[machine].items():
            if not (parent and name in ("unshare", "setns")) and not (tcp and name in ("socket", "connect")):
                lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    if tcp:
        lines += _only_tcp(calls.REFUSED[machine]["socket"], refuse)
    # clone3's flags are out of a filter's sight; the C library falls back to clone.
    lines += [(_EQUAL, 0, 1, calls.CLONE3[machine]), (_RETURN, 0, 0, unknown)]
    lines += _refused_when(calls.CLONE[machine], 0, [(_ANY_BIT, 0, 1, _NEW_NAMESPACE)], refuse)
    # A datagram socket of a pair can still be connected to a path.
    lines += _refused_when(calls.SOCKETPAIR[machine], 1, [(_AND, 0, 0, 0xF), (_EQUAL, 0, 1, 2)], refuse)
    # Memory that stays when no process maps it any more is counted nowhere.
    lines += _refused_when(calls.MMAP[machine], 3, [(_AND, 0, 0, _SHARED_ANONYMOUS), (_EQUAL, 0, 1, _SHARED_ANONYMOUS)], refuse)
    lines += _refused_among(calls.FCNTL[machine], 1, _FILE_COMMANDS, refuse)
    lines += _refused_among(calls.IOCTL[machine], 1, _DEVICE_COMMANDS, refuse)
    for number, arguments in calls.OF_A_PROCESS[machine].items():
        lines += _refused_unless_zero(number, arguments, refuse)
    if not parent:
        # In a namespace of its own the plugin's process is number 1, which the kernel keeps from killing itself; so the filter does it.
        lines += [
            (_EQUAL, 0, 7, calls.KILL[machine]),
            (_LOAD, 0, 0, 16),
            (_EQUAL, 0, 3, 1),
            (_LOAD, 0, 0, 24),
            (_EQUAL, 0, 1, signal.SIGKILL),
        ]
        lines += [(_RETURN, 0, 0, _KILL), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ALLOW)]
        lines += _refused_among(calls.PRCTL[machine], 0, (kernel.PR_SET_PDEATHSIG, kernel.PR_SET_DUMPABLE), refuse)
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _refused_when(number: int, argument: int, tests: list[_Line], refuse: int) -> list[_Line]:
    load = (_LOAD, 0, 0, 16 + 8 * argument)
    return [(_EQUAL, 0, len(tests) + 3, number), load, *tests, (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]


def _refused_among(number: int, argument: int, values: tuple[int, ...], refuse: int) -> list[_Line]:
    """The last test goes to the refusal or past it; those before it go there, or on."""
    last = len(values) - 1
    tests = [(_EQUAL, last - at, 1 if at == last else 0, value) for at, value in enumerate(values)]
    return _refused_when(number, argument, tests, refuse)


def _refused_unless_zero(number: int, arguments: tuple[int, ...], refuse: int) -> list[_Line]:
    tests: list[_Line] = []
    for at, argument in enumerate(arguments):
        left = len(arguments) - 1 - at
        tests += [(_LOAD, 0, 0, 16 + 8 * argument), (_EQUAL, 0 if left > 0 else 1, 2 * left, 0)]
    return [(_EQUAL, 0, len(tests) + 2, number), *tests, (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]


def _only_tcp(number: int, refuse: int) -> list[_Line]:
    """Of IPv4 and IPv6: a stream, of no other protocol than TCP."""
    return [
        (_EQUAL, 0, 11, number),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 1, 0, socket.AF_INET),
        (_EQUAL, 0, 6, socket.AF_INET6),
        (_LOAD, 0, 0, 24),
        (_AND, 0, 0, 0xF),
        (_EQUAL, 0, 3, socket.SOCK_STREAM),
        (_LOAD, 0, 0, 32),
        (_EQUAL, 2, 0, 0),
        (_EQUAL, 1, 0, socket.IPPROTO_TCP),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
