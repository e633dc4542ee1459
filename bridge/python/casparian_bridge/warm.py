"""The warm parent: loads what the plugin imports, rehearses it, then forks a process for each job. It never runs the plugin's own code.

From Node: `{"job": …}`, `{"kill": id}`; the end of the channel ends everything. To Node: `{"confined": …}`, `{"ready": …}`, then one
`{"exit": …}` a job. The streams of a job are connections that Node makes to the listener, each led in by the job's token.
"""

import contextlib
import gc
import json
import os
import select
import signal
import site
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from . import child, guard, hosts, introduction, kernel, rehearsal, sandbox, tree
from .charge import Charge
from .control import Control
from .lacks import lacks_of
from .outcome import outcome
from .plugin import Plugin
from .watch import PROCESSES_MAX, SECONDS, Watch


@dataclass
class _Job:
    """A job from its fork until its process, and all that it has started, has ended."""

    # Of the plugin, or of its guard where there is no process namespace.
    process: int
    # Where the guard tells the outcome, and the plugin's process its number in /proc.
    report: int
    watch: Watch
    number: str = ""
    cause: str | None = None


@dataclass
class _State:
    walls: sandbox.Walls
    plugin: Plugin
    own_namespace: int | None
    running: dict[int, _Job] = field(default_factory=dict)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    streams: dict[str, dict[str, introduction.Stream]] = field(default_factory=dict)


def serve(control: Control, listener: socket.socket, start: dict[str, Any], entered: int) -> None:
    """Returns when Node has gone and every job is over."""
    own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if entered & kernel.CLONE_NEWPID else None
    if own_namespace is None:
        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    plugin = Plugin(start["name"], start["source"], start["defaultOutput"], start.get("folder"))
    walls = sandbox.confine_parent(entered, start["inputRoots"], [start["scratchRoot"]], plugin.folders, hosts.places(start["hosts"]))
    # Before any line of theirs runs: what comes later is not to be believed.
    lacking = lacks_of(walls, start["hosts"])
    control.send({"confined": lacking})
    if start["requireSandbox"] and lacking:
        return
    sandbox.limit_parent_memory(start["memoryBytes"])
    # Not before: packages of the environment may bring code that runs when Python starts.
    site.main()
    os.chdir(start["home"])
    threads = rehearsal.load(plugin) if start["preload"] else None
    gc.collect()
    gc.freeze()
    state = _State(walls, plugin, own_namespace)
    woken = _wake_on_child()
    watched = time.monotonic()
    control.send({"ready": {"memoryBytes": tree.resident_bytes(["self"]), "threads": threads}})
    while True:
        ready, _, _ = select.select([control, listener, woken], [], [], SECONDS if state.running else None)
        if control in ready and not _obey(state, control):
            break
        if listener in ready:
            _accept(state, listener)
        if woken in ready:
            os.read(woken, 4096)
            _reap(state, control)
        if own_namespace is not None and time.monotonic() - watched >= SECONDS:
            _watch(state)
            watched = time.monotonic()
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
            _end(state, state.running[message["kill"]], "killed")
    return True


def _accept(state: _State, listener: socket.socket) -> None:
    stream = introduction.accept(listener)
    if stream is not None:
        state.streams.setdefault(stream.token, {})[stream.use] = stream


def _start_complete(state: _State, control: Control) -> None:
    for token in [token for token in state.waiting if len(state.streams.get(token, {})) == len(introduction.STREAMS)]:
        request, streams = state.waiting.pop(token), state.streams.pop(token)
        try:
            state.running[request["id"]] = _fork(state, request, streams)
        except OSError as error:
            control.send({"exit": {"id": request["id"], "failed": str(error)}})
        finally:
            for stream in streams.values():
                stream.connection.close()


def _fork(state: _State, request: dict[str, Any], streams: dict[str, introduction.Stream]) -> _Job:
    report_read, report_write = os.pipe()
    os.set_blocking(report_read, False)
    if state.own_namespace is not None:
        # The plugin's process becomes number 1 of a new namespace: when it ends, the kernel ends all that it has started.
        kernel.call("unshare", kernel.CLONE_NEWPID)
    try:
        process = os.fork()
        if process == 0:
            descriptors = {use: stream.connection.fileno() for use, stream in streams.items()}
            charge = Charge(request, descriptors, report_write, streams["d"].zeromq)
            run = child.run if state.own_namespace is not None else guard.run
            run(charge, state.plugin, state.walls)
    finally:
        if state.own_namespace is not None:
            kernel.call("setns", state.own_namespace, kernel.CLONE_NEWPID)
        os.close(report_write)
    return _Job(process, report_read, Watch(request))


def _watch(state: _State) -> None:
    """The kernel's limits count each process by itself; these count all that a plugin has started, and what is shared by them."""
    for job in state.running.values():
        if job.number == "":
            with contextlib.suppress(BlockingIOError):
                job.number = os.read(job.report, 64).decode()
        if job.number != "" and job.cause is None and (cause := job.watch.excess(tree.members(job.number, PROCESSES_MAX))) is not None:
            _end(state, job, cause)


def _end(state: _State, job: _Job, cause: str) -> None:
    job.cause = job.cause or cause
    # A guard ends what it guards before itself.
    os.kill(job.process, signal.SIGTERM if state.own_namespace is None else signal.SIGKILL)


def _reap(state: _State, control: Control) -> None:
    numbers = {job.process: number for number, job in state.running.items()}
    with contextlib.suppress(ChildProcessError):
        while (ended := os.wait4(-1, os.WNOHANG))[0] != 0:
            pid, status, usage = ended
            if pid in numbers:
                job = state.running.pop(numbers[pid])
                told = outcome(status, usage, job.cause) if state.own_namespace is not None else _reported(job)
                os.close(job.report)
                control.send({"exit": {"id": numbers[pid], "parentBytes": tree.resident_bytes(["self"]), **told}})


def _reported(job: _Job) -> dict[str, Any]:
    told = os.read(job.report, 4096)
    return json.loads(told) if told else {"failed": "the plugin's guard ended without a report"}


def _end_all(state: _State) -> None:
    """In a namespace of its own this process takes all others with it by ending; elsewhere the guards do it, and are waited for."""
    for job in state.running.values():
        _end(state, job, "killed")
    for job in state.running.values():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(job.process, 0)
