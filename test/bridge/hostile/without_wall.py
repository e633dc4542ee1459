"""Runs a program on what is for it a kernel without a wall: `without_wall.py WALL PROGRAM ARGUMENT...`"""

import ctypes
import errno
import os
import platform
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(number, answer, argument=None):
    """From here on the call answers so, where its first argument is this one."""
    among = [] if argument is None else [(LOAD, 0, 0, 16), (EQUAL, 0, 1, argument)]
    lines = [(LOAD, 0, 0, 0), (EQUAL, 0, len(among) + 1, number), *among, (RETURN, 0, 0, ERRNO | answer), (RETURN, 0, 0, ALLOW)]
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    program = Program(len(lines), code)
    libc.prctl(38, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def limit_namespaces():
    """In a user namespace of its own, in which no further ones may be made."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("gid_map", f"{group} {group} 1"), ("uid_map", f"{user} {user} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    for kind in ("user", "pid", "net"):
        with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as file:
            file.write("0")


if __name__ == "__main__":
    wall = sys.argv[1]
    if wall == "landlock":
        refuse(444, errno.ENOSYS)
    elif wall == "namespaces":
        refuse(272 if X86 else 97, errno.EPERM)
    elif wall == "namespaces-by-limit":
        limit_namespaces()
    elif wall == "seccomp":
        refuse(157 if X86 else 167, errno.EINVAL, 21)  # PR_GET_SECCOMP
    os.execv(sys.argv[2], sys.argv[2:])
