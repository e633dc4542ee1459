"""The warm parent: loads what the plugin imports, rehearses it, then forks a guard for each job. It never runs the plugin's own code.

From Node: `{"job": …}`, `{"kill": id}`; the end of the channel ends everything. To Node: `{"ready": …}`, then one `{"exit": …}` a job.
The streams of a job are connections that Node makes to the listener, each led in by the job's token and one letter for its use.
"""

import contextlib
import gc
import json
import os
import select
import signal
import site
import socket
from dataclasses import dataclass, field
from typing import Any

from . import guard, kernel, rehearsal, sandbox
from .control import Control
from .plugin import Plugin

_TOKEN_BYTES = 32
_STREAMS = "doel"  # data, stdout, stderr, log
_INTRODUCTION_SECONDS = 5


@dataclass
class _Job:
    """A job from its fork until its guard has reported."""

    guard: int
    report: int


@dataclass
class _State:
    walls: sandbox.Walls
    plugin: Plugin
    own_namespace: int | None
    running: dict[int, _Job] = field(default_factory=dict)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    streams: dict[str, dict[str, socket.socket]] = field(default_factory=dict)


def serve(control: Control, listener: socket.socket, start: dict[str, Any], entered: int) -> None:
    """Returns when Node has gone and every job is over."""
    own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if entered & kernel.CLONE_NEWPID else None
    if own_namespace is None:
        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    plugin = Plugin(start["name"], start["source"], start["defaultOutput"])
    walls = sandbox.confine_parent(entered, start["inputRoots"], [start["scratchRoot"]])
    # Not before: packages of the environment may bring code that runs when Python starts.
    site.main()
    os.chdir(start["home"])
    if start["preload"]:
        rehearsal.load(plugin)
    gc.collect()
    gc.freeze()
    state = _State(walls, plugin, own_namespace)
    woken = _wake_on_child()
    control.send({"ready": {"lacks": walls.lacking()}})
    while True:
        reports = {job.report: number for number, job in state.running.items()}
        ready, _, _ = select.select([control, listener, woken, *reports], [], [])
        if control in ready and not _obey(state, control):
            break
        if listener in ready:
            _accept(state, listener)
        for report in reports.keys() & ready:
            _pass_on(state, control, reports[report])
        if woken in ready:
            os.read(woken, 4096)
            _reap()
        _start_complete(state, control)
    _end_all(state)


def _wake_on_child() -> int:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _obey(state: _State, control: Control) -> bool:
    messages = control.receive()
    if messages is None:
        return False
    for message in messages:
        if "job" in message:
            state.waiting[message["job"]["token"]] = message["job"]
        elif message["kill"] in state.running:
            os.kill(state.running[message["kill"]].guard, signal.SIGTERM)
    return True


def _accept(state: _State, listener: socket.socket) -> None:
    stream, _ = listener.accept()
    stream.settimeout(_INTRODUCTION_SECONDS)
    try:
        introduction = stream.recv(_TOKEN_BYTES + 1, socket.MSG_WAITALL).decode("ascii", "replace")
    except OSError:
        introduction = ""
    token, use = introduction[:_TOKEN_BYTES], introduction[_TOKEN_BYTES:]
    if use == "" or use not in _STREAMS:
        stream.close()
        return
    stream.settimeout(None)
    state.streams.setdefault(token, {})[use] = stream


def _start_complete(state: _State, control: Control) -> None:
    for token in [token for token in state.waiting if len(state.streams.get(token, {})) == len(_STREAMS)]:
        request, streams = state.waiting.pop(token), state.streams.pop(token)
        try:
            state.running[request["id"]] = _fork(state, request, streams)
        except OSError as error:
            control.send({"exit": {"id": request["id"], "failed": str(error)}})
        finally:
            for stream in streams.values():
                stream.close()


def _fork(state: _State, request: dict[str, Any], streams: dict[str, socket.socket]) -> _Job:
    report_read, report_write = os.pipe()
    if state.own_namespace is not None:
        # The guard becomes process 1 of a new namespace: when it ends, so does all that the plugin has started.
        kernel.call("unshare", kernel.CLONE_NEWPID)
    try:
        child = os.fork()
        if child == 0:
            charge = guard.Charge(request, {use: stream.fileno() for use, stream in streams.items()}, report_write)
            guard.run(charge, state.plugin, state.walls)
    finally:
        if state.own_namespace is not None:
            kernel.call("setns", state.own_namespace, kernel.CLONE_NEWPID)
        os.close(report_write)
    return _Job(child, report_read)


def _pass_on(state: _State, control: Control, number: int) -> None:
    """A guard reports when nothing but itself is left of the job; its own end, some milliseconds later, is not waited for."""
    job = state.running.pop(number)
    told = os.read(job.report, 4096)
    os.close(job.report)
    outcome = json.loads(told) if told else {"failed": "the plugin's guard ended without a report"}
    control.send({"exit": {"id": number, **outcome}})


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass


def _end_all(state: _State) -> None:
    """In a namespace of its own this process takes all others with it by ending; elsewhere the guards do it, and are waited for."""
    for job in state.running.values():
        os.kill(job.guard, signal.SIGTERM)
    for job in state.running.values():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(job.guard, 0)
