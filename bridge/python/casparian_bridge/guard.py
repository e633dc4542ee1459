"""Stands in for a process namespace where the kernel gives none: forks the plugin's process, is the subreaper of all that it starts,
ends whatever is left by search until nothing is, and then reports how it ended.
"""

import contextlib
import gc
import json
import os
import signal
from typing import Any, NoReturn

from . import child, descriptors, kernel, namespaces, sandbox, tree, watch
from .charge import Charge
from .outcome import outcome
from .plugin import Plugin

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


def run(charge: Charge, plugin: Plugin, walls: sandbox.Walls) -> NoReturn:
    """Runs in the freshly forked guard and ends it."""
    status = 70
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        os.setsid()
        descriptors.keep_open({*charge.streams.values(), charge.report, *(place.descriptor for place in walls.shared)})
        # Not by SIGKILL: it has a tree to end first.
        namespaces.die_with_parent(signal.SIGTERM)
        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        process = os.fork()
        if process == 0:
            child.run(charge, plugin, walls)
        for stream in charge.streams.values():
            os.close(stream)
        told = _watch(process, watch.Watch(charge.request))
        _end_rest()
        os.write(charge.report, json.dumps(told).encode())
        status = 0
    finally:
        os._exit(status)


def _watch(process: int, watched: watch.Watch) -> dict[str, Any]:
    """Waits until the plugin's process has ended, by itself or because it was asked to or took too much."""
    cause = None
    while True:
        received = signal.sigtimedwait(_SIGNALS, watch.SECONDS)
        if received is None:
            if cause is None and (cause := watched.excess(tree.members("self", watch.PROCESSES_MAX + 1)[1:])) is not None:
                os.kill(process, signal.SIGKILL)
        elif received.si_signo == signal.SIGTERM:
            cause = cause or "killed"
            os.kill(process, signal.SIGKILL)
        for pid, status, usage in _ended():
            if pid == process:
                return outcome(status, usage, cause)


def _ended() -> list[tuple[int, int, Any]]:
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (one := os.wait4(-1, os.WNOHANG))[0] != 0:
            ended.append(one)
    return ended


def _end_rest() -> None:
    while True:
        for pid in tree.members("self")[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return
