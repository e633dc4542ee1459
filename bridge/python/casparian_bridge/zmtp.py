"""The little of ZeroMQ's wire protocol that a sender of messages needs, over a connection that Node's library has made to us.

ZeroMQ's library sends from a thread of its own, and what confines a process holds for threads: one started before would have more rights
than the plugin beside it, one started after could not connect. So this side has no library, and asks nobody's environment for one.

Source: ZMTP 3.0 (https://rfc.zeromq.org/spec/23/) and its PLAIN mechanism (https://rfc.zeromq.org/spec/24/).
"""

import socket
import struct
from collections.abc import Iterator

SIGNATURE = 0xFF
# As in bridge/transport/zeromq.ts.
_MESSAGE_BYTES_MAX = 256 * 1024
_WINDOW = 16

_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"PLAIN".ljust(20, b"\0") + b"\x01" + bytes(31)
_COMMAND, _LONG = 0x04, 0x02
_READY = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
_LONG_HEAD = struct.Struct(">BQ")
_SHORT_BYTES_MAX = 255


class Refused(OSError):
    """Whoever has connected does not speak the protocol."""


def introduce(stream: socket.socket) -> tuple[str, str]:
    """Shakes hands with a client; its name and password. Nothing of the greeting has been read but the first byte."""
    stream.sendall(_GREETING)
    greeting = _exactly(stream, len(_GREETING) - 1)
    if greeting[9] < 3 or greeting[11:31].rstrip(b"\0") != b"PLAIN":
        raise Refused("not ZMTP 3 with PLAIN")
    hello = _command(stream, b"HELLO")
    name, rest = _text(hello)
    password, _ = _text(rest)
    _say(stream, b"\x07WELCOME")
    _command(stream, b"INITIATE")
    _say(stream, _READY)
    return name, password


class Window:
    """How many messages may still be sent: the receiver never has to stop reading, so it gets all when the sender ends in whatever way."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._left = _WINDOW

    def take(self) -> None:
        """Waits until one more message may be sent."""
        while self._left == 0:
            flags, length = _exactly(self._stream, 2)
            granted = _exactly(self._stream, length)
            if flags != 0 or length != 1:
                raise Refused("a message that grants nothing")
            self._left += granted[0]
        self._left -= 1


def cut(pieces: list[memoryview]) -> Iterator[list[memoryview]]:
    """Messages, each with its head, made of these bytes without copying them."""
    message: list[memoryview] = []
    room = _MESSAGE_BYTES_MAX
    for piece in pieces:
        at = 0
        while at < len(piece):
            part = piece[at : at + room]
            message.append(part)
            at += len(part)
            room -= len(part)
            if room == 0:
                yield [_head(_MESSAGE_BYTES_MAX), *message]
                message, room = [], _MESSAGE_BYTES_MAX
    if message:
        yield [_head(_MESSAGE_BYTES_MAX - room), *message]


def _head(size: int) -> memoryview:
    return memoryview(bytes((0, size)) if size <= _SHORT_BYTES_MAX else _LONG_HEAD.pack(_LONG, size))


def _command(stream: socket.socket, name: bytes) -> bytes:
    flags, length = _exactly(stream, 2)
    body = _exactly(stream, length)
    if flags != _COMMAND or body[: 1 + len(name)] != bytes((len(name),)) + name:
        raise Refused(f"not {name.decode()}")
    return body[1 + len(name) :]


def _say(stream: socket.socket, body: bytes) -> None:
    stream.sendall(bytes((_COMMAND, len(body))) + body)


def _text(octets: bytes) -> tuple[str, bytes]:
    end = 1 + octets[0] if octets else 0
    return octets[1:end].decode("ascii", "replace"), octets[end:]


def _exactly(stream: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        more = stream.recv(count - len(received), socket.MSG_WAITALL)
        if not more:
            raise Refused("it ended early")
        received += more
    return received
