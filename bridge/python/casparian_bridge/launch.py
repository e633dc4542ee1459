"""Everything that happens before a foreign line of code is loaded: channel, socket, namespaces."""

import contextlib
import os
import signal
import socket
import sys

from . import hosts, namespaces, warm
from .control import Control

_CONTROL_DESCRIPTOR = 3
_OUT_OF_MEMORY_SCORE = "900"


def main() -> None:
    channel = socket.socket(fileno=_CONTROL_DESCRIPTOR)
    control = Control(channel)
    start = control.first()
    namespaces.die_with_parent()
    if os.getppid() != start["nodePid"]:
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    # A machine without memory left ends a plugin, not the database beside it.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(_OUT_OF_MEMORY_SCORE)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(start["socketPath"])
    listener.listen(64)
    entered = namespaces.enter([channel.fileno(), listener.fileno()], hosts.places(start["hosts"]), start["home"])
    warm.serve(control, listener, start, entered)
    os._exit(0)
