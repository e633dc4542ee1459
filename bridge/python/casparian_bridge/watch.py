"""What no limit of the kernel bounds: the memory, processes, open files and disk that all processes of a job take together."""

import contextlib
import os
import stat
import time
from typing import Any

from . import tree

# How often to look. A fork bomb must be seen before it takes all of the processors, this one's share included.
SECONDS = 0.05
PROCESSES_MAX = 64
THREADS_MAX = 512
# What is not quick to count is counted in one of these looks.
_THOROUGH = 5
FILES_MAX = 4096
_ENTRIES_MAX = 50_000
# An empty file takes some of the disk as well.
_ENTRY_BYTES = 4096
_DEPTH_MAX = 100
_MAPPED_MAX = 16
# A look at a large folder may take this part of the time.
_WALK_SHARE = 0.2


class Watch:
    """For one job, from its fork on."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._scratch = ""
        self._memory_max = 0
        self._free = 0
        self._scratch_max: int = request["scratchBytes"]
        self._next_walk = 0.0
        self._looks = 0

    def excess(self, pids: list[str]) -> str | None:
        """What these processes have too much of: a cause, as Node knows them."""
        if len(pids) > PROCESSES_MAX:
            return "processes"
        self._looks += 1
        return self._thorough(pids) if self._looks % _THOROUGH == 0 else None

    def _thorough(self, pids: list[str]) -> str | None:
        if self._scratch == "":  # most jobs end before anybody looks
            self._scratch = os.path.realpath(self._request["scratch"])
            self._free = _free(self._scratch)
            self._memory_max = tree.resident_bytes(["self"]) + self._request["memoryBytes"]
        if tree.threads(pids) > THREADS_MAX:
            return "processes"
        if tree.resident_bytes(pids) > self._memory_max:
            return "memory"
        try:
            files, unlinked = _open_files(pids, os.stat(self._scratch).st_dev)
        except OSError:
            return None  # the folder is gone, and so is the job
        if files > FILES_MAX:
            return "files"
        return "scratch" if unlinked > self._scratch_max or self._fills(unlinked, pids) else None

    def _fills(self, unlinked: int, pids: list[str]) -> bool:
        began = time.monotonic()
        if began < self._next_walk:
            return False
        try:
            if _Walk(self._scratch).used + unlinked > self._scratch_max:
                return True
            # A plugin can make whoever reads its maps wait, so that is done only where something else fills the disk.
            return self._free - _free(self._scratch) > self._scratch_max and _mapped_only(pids, self._scratch) > _MAPPED_MAX
        except _TooMuch:
            return True
        except OSError:
            return False
        finally:
            ended = time.monotonic()
            self._next_walk = ended + (ended - began) / _WALK_SHARE


class _TooMuch(Exception):
    pass


class _Walk:
    """The blocks of all that lies in a folder. By descriptors, because a path may become longer than the kernel takes."""

    def __init__(self, folder: str) -> None:
        self.used = 0
        self._entries = 0
        self._linked: set[int] = set()
        self._enter(folder, None, 0)

    def _enter(self, name: str, parent: int | None, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise _TooMuch
        try:
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except PermissionError:
            raise _TooMuch from None
        except OSError:
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._count(entry, folder, depth)
        finally:
            os.close(folder)

    def _count(self, entry: os.DirEntry[str], folder: int, depth: int) -> None:
        self._entries += 1
        if self._entries > _ENTRIES_MAX:
            raise _TooMuch
        try:
            about = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if about.st_ino not in self._linked:
            self.used += max(about.st_blocks * 512, _ENTRY_BYTES)
        if stat.S_ISDIR(about.st_mode):
            self._enter(entry.name, folder, depth + 1)
        elif about.st_nlink > 1:
            self._linked.add(about.st_ino)


def _free(folder: str) -> int:
    """Bytes that are free on the folder's file system."""
    disk = os.statvfs(folder)
    return disk.f_bfree * disk.f_frsize


def _open_files(pids: list[str], device: int) -> tuple[int, int]:
    """How many descriptors are open, and the bytes of files on the device that have no name any more."""
    count, unlinked = 0, {}
    for pid in pids:
        with contextlib.suppress(OSError):
            names = os.listdir(f"/proc/{pid}/fd")
            count += len(names)
            if count > FILES_MAX:
                break
            for name in names:
                with contextlib.suppress(OSError):
                    about = os.stat(f"/proc/{pid}/fd/{name}")
                    if about.st_nlink == 0 and about.st_dev == device and stat.S_ISREG(about.st_mode):
                        unlinked[about.st_ino] = about.st_blocks * 512
    return count, sum(unlinked.values())


def _mapped_only(pids: list[str], folder: str) -> int:
    """How many files of the folder have no name any more and are mapped. How large they are nobody tells."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", "rb") as maps:
            for line in maps:
                if line.endswith(b" (deleted)\n") and folder.encode() in line:
                    found.add(line.split(maxsplit=5)[4])
    return len(found)
