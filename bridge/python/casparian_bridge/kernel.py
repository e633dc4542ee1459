"""System calls that Python 3.10 does not offer. Each raises OSError; on a kernel or a libc without it, with ENOSYS."""

import ctypes
import errno
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_SLAVE = 2, 4, 8, 4096, 16384, 1 << 19

CAP_DAC_READ_SEARCH = 2
CAP_SYS_ADMIN = 21

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: object) -> int:
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"{name}: {os.strerror(errno.ENOSYS)}")
    return _checked(name, function(*args))


def syscall(number: int, *args: object) -> int:
    """A system call by number; integers are passed as C longs."""
    whole = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(f"system call {number}", _libc.syscall(ctypes.c_long(number), *whole))


def prctl(option: int, value: int) -> int:
    return call("prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    call("mount", source.encode(), target.encode(), None if kind is None else kind.encode(), ctypes.c_ulong(flags), None)


def set_capabilities(kept: tuple[int, ...]) -> None:
    """Leaves the process, at most, these capabilities in its user namespace (capset(2), version 3)."""
    mask = sum(1 << capability for capability in kept)
    held = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capget", header, held)
    low, high = mask & held[1] & 0xFFFFFFFF, (mask >> 32) & held[4]
    call("capset", header, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0))


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
