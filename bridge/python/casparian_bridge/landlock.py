"""Landlock: a process gives up, for itself and all that come from it, the files it does not name.

Best effort by ABI version, which only ever adds rights: 1 files, 2 renames across folders, 3 truncation, 4 TCP, 5 device control,
6 abstract sockets and signals. Source: the kernel's userspace-api/landlock document.
"""

import ctypes
import os
from collections.abc import Iterable

from . import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none or it is switched off."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def restrict(read: Iterable[str], write: Iterable[str], devices: Iterable[str], version: int) -> None:
    """From here on only files at or below `read` can be read or executed, and all can be done below `write`. No TCP, and no signals and
    abstract sockets to processes outside. Paths that don't exist are passed over. Needs no_new_privs."""
    rights = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}.get(version, (1 << 16) - 1)
    rules = _Ruleset(rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        for paths, access in ((read, _READ), (write, rights), (devices, _READ_FILE | _ON_A_FILE & ~_EXECUTE)):
            for path in paths:
                _allow(ruleset, path, access & rights)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if os.path.isdir(path) else access & _ON_A_FILE
        kernel.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(_PathBeneath(allowed, place)), 0)
    finally:
        os.close(place)
