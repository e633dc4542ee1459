"""Makes forks hot: what the plugin imports is loaded and used once in the parent, so that each child inherits it.

Measured with pandas: 20 to 26 ms for a small CSV without the rehearsal, 7 to 11 ms with it. No threads may be left by it: a fork copies
only the thread that forks.
"""

import ast
import contextlib
import io
import os
import sys
import time
import warnings

from . import outputs, tree
from .plugin import Plugin

_THREAD_SECONDS_MAX = 0.25
_ENDED = ""
# Their owner sees to forks by itself: jemalloc, which pyarrow brings, starts its own anew in the fork.
_THREADS_MADE_AGAIN = (_ENDED, "jemalloc_bg_thd")


def load(plugin: Plugin) -> str | None:
    """Whatever fails here fails again in the child, where it is reported. Returns the statement after which threads ran, if one did that:
    then nothing may be forked from this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in _imports(plugin):
            # Import code may exit or raise anything.
            with contextlib.suppress(BaseException):
                exec(compile(ast.Module([statement], []), plugin.file_name, "exec"), {"__name__": plugin.name})
            if _has_threads():
                return ast.unparse(statement)
        with contextlib.suppress(BaseException):
            _rehearse()
    return "the rehearsal of its libraries" if _has_threads() else None


def _has_threads() -> bool:
    """Of any kind, also those that Python does not know. One that has done its work is given a moment to end."""
    until = time.monotonic() + _THREAD_SECONDS_MAX
    own = tree.own_number()
    while any(_name(thread) not in _THREADS_MADE_AGAIN for thread in os.listdir("/proc/self/task") if thread != own):
        if time.monotonic() > until:
            return True
        time.sleep(0.01)
    return False


def _name(thread: str) -> str:
    try:
        with open(f"/proc/self/task/{thread}/comm") as told:
            return told.read().strip()
    except OSError:  # it has ended
        return _ENDED


def _imports(plugin: Plugin) -> list[ast.stmt]:
    """What all of its files import, but for what is its own: that is loaded in the child only."""
    return [statement for source in plugin.sources for statement in _imports_of(source) if not _is_own(statement, plugin)]


def _imports_of(source: str) -> list[ast.stmt]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[ast.stmt] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.level == 0 and node.module != "__future__"):
            found.append(node)
    return found


def _is_own(statement: ast.stmt, plugin: Plugin) -> bool:
    names = [name.name for name in statement.names] if isinstance(statement, ast.Import) else [getattr(statement, "module", "") or ""]
    return any(name.split(".")[0] in plugin.own_names for name in names)


def _rehearse() -> None:
    import pyarrow as pa

    sent: list[object] = []
    rehearsed = outputs.Outputs(lambda _kind, _output, parts: sent.extend(parts), "rehearsal")
    if "pandas" in sys.modules:
        import pandas as pd

        frame = pd.read_csv(io.StringIO("a,b,c\n1,x,0.5\n2,,\n"))
        rehearsed.put("rehearsal", frame)
        rehearsed.put("table", pa.Table.from_pandas(frame, nthreads=1))
    if "pyarrow.csv" in sys.modules:
        from pyarrow import csv

        rehearsed.put("csv", csv.read_csv(io.BytesIO(b"a,b\n1,x\n"), read_options=csv.ReadOptions(use_threads=False)))
    rehearsed.put("rows", [{"a": 1, "b": "x"}])
    rehearsed.finish()
