"""The control channel to Node: one JSON object a line, both ways."""

import json
import socket
from typing import Any


class Control:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pending = b""

    def fileno(self) -> int:
        return self._channel.fileno()

    def send(self, message: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """Waits for at least some bytes; the whole messages that have come, or None when Node has gone."""
        try:
            received = self._channel.recv(1 << 20)
        except ConnectionError:
            received = b""
        if not received:
            return None
        *lines, self._pending = (self._pending + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def first(self) -> dict[str, Any]:
        while (messages := self.receive()) is not None:
            if messages:
                return messages[0]
        raise SystemExit(0)
