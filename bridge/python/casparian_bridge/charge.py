"""What a job's process is given."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Charge:
    request: dict[str, Any]
    # Connected sockets by letter: data, stdout, stderr, log.
    streams: dict[str, int]
    # A pipe to the warm parent.
    report: int
    # The data goes as messages of ZeroMQ.
    zeromq: bool = False
