"""Landlock: a process gives up, for itself and all that come from it, the files it does not name.

Best effort by ABI version, which only ever adds rights: 1 files, 2 renames across folders, 3 truncation, 4 TCP, 5 device control,
6 abstract sockets and signals. Source: the kernel's userspace-api/landlock document.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from . import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_EVERYTHING = (1 << 16) - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Port(ctypes.Structure):
    _fields_ = (("access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none or it is switched off."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


@dataclass(frozen=True)
class Place:
    """A file or folder, held open without reading it, and what may be done at and below it."""

    descriptor: int
    access: int


def open_places(read: Iterable[str], write: Iterable[str] = (), devices: Iterable[str] = ()) -> list[Place]:
    """Paths that don't exist are passed over. Forks inherit the places."""
    kinds = ((read, _READ), (write, _EVERYTHING), (devices, _READ_FILE | _ON_A_FILE & ~_EXECUTE))
    opened = (_open(path, access) for paths, access in kinds for path in paths)
    return [place for place in opened if place is not None]


def close_places(places: Iterable[Place]) -> None:
    for place in places:
        os.close(place.descriptor)


def restrict(places: Iterable[Place], version: int, ports: Iterable[int] = ()) -> None:
    """From here on no other files can be used. No TCP but to these ports, and no signals and abstract sockets to processes outside. Needs
    no_new_privs."""
    rights = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}.get(version, _EVERYTHING)
    rules = _Ruleset(rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        for place in places:
            beneath = _PathBeneath(place.access & rights, place.descriptor)
            kernel.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(beneath), 0)
        for port in ports if version >= 4 else ():
            kernel.syscall(_ADD_RULE, ruleset, 2, ctypes.byref(_Port(2, port)), 0)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _open(path: str, access: int) -> Place | None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return Place(descriptor, access if is_folder else access & _ON_A_FILE)
