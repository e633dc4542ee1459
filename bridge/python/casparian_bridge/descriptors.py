"""What a fork inherits open, and must not keep."""

import contextlib
import os


def keep_open(kept: set[int]) -> None:
    """Closes every descriptor but the standard ones and these."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
