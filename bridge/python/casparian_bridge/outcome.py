"""How a plugin's process ended, as it is told to Node."""

import os
from typing import Any


def outcome(status: int, usage: Any, cause: str | None) -> dict[str, Any]:
    """From what wait4 gives; `cause` says why the process was ended from here, if it was."""
    ended = {"code": os.WEXITSTATUS(status)} if os.WIFEXITED(status) else {"signal": os.WTERMSIG(status)}
    return {**ended, "cause": cause, "peakMemoryBytes": usage.ru_maxrss * 1024, "cpuSeconds": usage.ru_utime + usage.ru_stime}
