"""One guard for each job: forks the plugin's process, watches its memory, ends whatever is left of it, and reports how it ended.

Where there are namespaces the guard is process 1 of one, so nothing in it outlives the guard. Elsewhere it is the subreaper of all that
the plugin starts, and ends them by search until none is left.
"""

import contextlib
import gc
import json
import os
import signal
from dataclasses import dataclass
from typing import Any, NoReturn

from . import child, descriptors, kernel, namespaces, sandbox
from .plugin import Plugin

_WATCH_SECONDS = 0.25
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


@dataclass(frozen=True)
class Charge:
    """What the guard is given: the job, its streams by letter, and where to report."""

    request: dict[str, Any]
    streams: dict[str, int]
    report: int


def run(charge: Charge, plugin: Plugin, walls: sandbox.Walls) -> NoReturn:
    """Runs in the freshly forked guard and ends it."""
    status = 70
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        os.setsid()
        descriptors.keep_open({*charge.streams.values(), charge.report, *(place.descriptor for place in walls.shared)})
        _take_responsibility(walls)
        process = os.fork()
        if process == 0:
            child.run(charge, plugin, walls)
        for stream in charge.streams.values():
            os.close(stream)
        told = _watch(process, charge.request["memoryBytes"])
        _end_rest(walls)
        os.write(charge.report, json.dumps(told).encode())
        status = 0
    finally:
        os._exit(status)


def _take_responsibility(walls: sandbox.Walls) -> None:
    if not walls.pid_namespace:
        # Not by SIGKILL: it has a tree to end first.
        namespaces.die_with_parent(signal.SIGTERM)
        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)


def _watch(process: int, memory_bytes: int) -> dict[str, Any]:
    """Waits until the plugin's process has ended, by itself or because it was asked to or took too much memory.

    The limit of the kernel counts each process by itself; this one counts all that the plugin has started, and memory shared by them.
    """
    cause = None
    bound = _resident_bytes(["self"]) + memory_bytes
    while True:
        received = signal.sigtimedwait(_SIGNALS, _WATCH_SECONDS)
        if received is None:
            if cause is None and _resident_bytes(_tree()) > bound:
                cause = "memory"
                os.kill(process, signal.SIGKILL)
        elif received.si_signo == signal.SIGTERM:
            cause = cause or "killed"
            os.kill(process, signal.SIGKILL)
        for pid, status, usage in _ended():
            if pid == process:
                told = {"code": os.WEXITSTATUS(status)} if os.WIFEXITED(status) else {"signal": os.WTERMSIG(status)}
                return {**told, "cause": cause, "peakMemoryBytes": usage.ru_maxrss * 1024, "cpuSeconds": usage.ru_utime + usage.ru_stime}


def _ended() -> list[tuple[int, int, Any]]:
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (one := os.wait4(-1, os.WNOHANG))[0] != 0:
            ended.append(one)
    return ended


def _end_rest(walls: sandbox.Walls) -> None:
    while True:
        if walls.pid_namespace and os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            for pid in _tree():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _tree() -> list[str]:
    """All that this process has started, as the numbers that /proc knows them by."""
    found: list[str] = []
    todo = _children("self")
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(_children(pid))
    return found


def _children(pid: str) -> list[str]:
    children: list[str] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as listed:
                children.extend(listed.read().split())
    return children


def _resident_bytes(pids: list[str]) -> int:
    """Memory that belongs to no file: private, shared and swapped out."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
                    total += int(line.split()[1]) * 1024
    return total
