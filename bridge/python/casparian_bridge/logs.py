"""Python's `logging` goes to a stream of its own, a line a record: `LEVEL name: message`."""

import contextlib
import logging
import os
from typing import Any


class _ToDescriptor(logging.Handler):
    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record) + "\n"
        except Exception:
            self.handleError(record)
            return
        with contextlib.suppress(OSError):
            rest = memoryview(text.encode("utf-8", "backslashreplace"))
            while len(rest) > 0:
                rest = rest[os.write(self._descriptor, rest) :]


def send_to(descriptor: int) -> None:
    """Records of level INFO and above are kept; `logging.basicConfig(level=…)` in the plugin changes the level, and nothing else."""
    root = logging.getLogger()
    root.addHandler(_ToDescriptor(descriptor))
    root.setLevel(logging.INFO)
    configure = logging.basicConfig

    def basic_config(**options: Any) -> None:
        if options.get("force"):
            configure(**options)
        elif options.get("level") is not None:
            root.setLevel(options["level"])

    logging.basicConfig = basic_config
