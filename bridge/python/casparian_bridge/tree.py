"""What a process has started, and how much memory all of it takes. Numbers of processes are those of /proc, also from within a namespace."""

import contextlib
import os


def own_number() -> str:
    """This process's number in /proc."""
    return os.readlink("/proc/self")


def members(root: str) -> list[str]:
    """The process and all that it has started, and what those have started."""
    found: list[str] = []
    todo = [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as listed:
                    todo.extend(listed.read().split())
    return found


def resident_bytes(pids: list[str]) -> int:
    """Memory that belongs to no file: private, shared and swapped out."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
                    total += int(line.split()[1]) * 1024
    return total
