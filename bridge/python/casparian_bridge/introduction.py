"""How Node says, on each connection to the warm parent's listener, for which job and for which of its streams it is."""

import socket
from dataclasses import dataclass

from . import zmtp

_TOKEN_BYTES = 32
_SECONDS = 5
# Of data, by the kernel; half of what it counts. Less means more waking up, for the same bytes.
_HELD_BYTES = 1024 * 1024
STREAMS = "doel"  # data, stdout, stderr, log


@dataclass(frozen=True)
class Stream:
    connection: socket.socket
    token: str
    use: str
    # The data goes as messages of ZeroMQ.
    zeromq: bool = False


def accept(listener: socket.socket) -> Stream | None:
    """The next connection, or None if it did not introduce itself."""
    connection, _ = listener.accept()
    connection.settimeout(_SECONDS)
    try:
        stream = _introduced(connection)
    except (OSError, IndexError):
        stream = None
    if stream is None or stream.use == "" or stream.use not in STREAMS:
        connection.close()
        return None
    connection.settimeout(None)
    if stream.use == "d":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD_BYTES)
    return stream


def _introduced(connection: socket.socket) -> Stream | None:
    first = connection.recv(1)
    if first == bytes((zmtp.SIGNATURE,)):
        name, password = zmtp.introduce(connection)
        return Stream(connection, password, "d", True) if name == "data" else None
    rest = connection.recv(_TOKEN_BYTES, socket.MSG_WAITALL)
    words = (first + rest).decode("ascii", "replace")
    return Stream(connection, words[:_TOKEN_BYTES], words[_TOKEN_BYTES:])
