"""Run as root: runs a program as a user without any rights: `as_ordinary_user.py PATH... -- PROGRAM ARGUMENT...`

Where the paths that it needs lie in folders that are closed to others, such as /root, the program sees, in a mount namespace of its own,
an open folder in the place of the closed one, with nothing in it but the paths.
"""

import ctypes
import os
import stat
import sys
import tempfile

USER = 65534
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags, data=None):
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    if libc.mount(*texts, ctypes.c_ulong(flags), None if data is None else data.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def closed_folder(path):
    """The highest folder above the path that others can't enter."""
    above = path
    folders = []
    while (above := os.path.dirname(above)) != "/":
        folders.append(above)
    return next((folder for folder in reversed(folders) if not os.stat(folder).st_mode & stat.S_IXOTH), None)


def open_up(paths):
    closed = {}
    for path in paths:
        if (folder := closed_folder(path)) is not None:
            closed.setdefault(folder, []).append(path)
    if not closed:
        return
    if libc.unshare(0x00020000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    for folder, inside in closed.items():
        held = [tempfile.mkdtemp(prefix="cf-held-") for _ in inside]
        for path, aside in zip(inside, held, strict=True):
            mount(path, aside, None, MS_BIND | MS_REC)
        mount("tmpfs", folder, "tmpfs", 0, "mode=755")
        for path, aside in zip(inside, held, strict=True):
            os.makedirs(path, exist_ok=True)
            mount(aside, path, None, MS_MOVE)
            os.rmdir(aside)


if __name__ == "__main__":
    split = sys.argv.index("--")
    open_up(sorted({os.path.realpath(path) for path in sys.argv[1:split]}))
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    os.chdir("/")
    os.execv(sys.argv[split + 1], sys.argv[split + 1 :])
