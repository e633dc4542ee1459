"""What a process has started, and how much memory all of it takes. Numbers of processes are those of /proc, also from within a namespace."""

import contextlib
import os
import sys


def own_number() -> str:
    """This process's number in /proc."""
    return os.readlink("/proc/self")


def members(root: str, most: int = sys.maxsize) -> list[str]:
    """The process and all that it has started, and what those have started; not many more than `most`."""
    found: list[str] = []
    todo = [root]
    while todo and len(found) <= most:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as listed:
                    todo.extend(listed.read().split())
    return found


def resident_bytes(pids: list[str]) -> int:
    """Memory that belongs to no file: private, shared, swapped out, and what the kernel takes to map it."""
    return _sum(pids, (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:")) * 1024


def threads(pids: list[str]) -> int:
    return _sum(pids, (b"Threads:",))


def _sum(pids: list[str], names: tuple[bytes, ...]) -> int:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith(names))
    return total
