"""Words for what was raised in the plugin's process: a code, a message, and a traceback with the plugin's own lines only."""

import errno
import os
import re
import traceback
from typing import Any

from .fault import Fault
from .plugin import Plugin

_MESSAGE_LETTERS_MAX = 2_000
_TRACEBACK_LETTERS_MAX = 32_000
_OWN_FOLDERS = tuple(
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name) + os.sep
    for name in ("casparian_bridge", "casparian_flow")
)


def describe(error: BaseException, plugin: Plugin) -> dict[str, Any]:
    """The payload of an ERROR frame."""
    described = _describe(error, plugin)
    return {key: plugin.shorten(value) if isinstance(value, str) else value for key, value in described.items()}


def _describe(error: BaseException, plugin: Plugin) -> dict[str, Any]:
    if isinstance(error, Fault):
        return {"code": error.code, "message": _cut(str(error), _MESSAGE_LETTERS_MAX), "hint": error.hint, "traceback": _raised(error)}
    described: dict[str, Any] = {"message": _cut(_message(error, plugin), _MESSAGE_LETTERS_MAX), "traceback": _traceback(error)}
    if isinstance(error, SyntaxError) and error.filename == plugin.file_name:
        return {**described, "code": "PLUGIN_SYNTAX"}
    if plugin.error is error:
        return {**described, "code": "PLUGIN_SYNTAX"}
    if isinstance(error, MemoryError):
        return {**described, "code": "PLUGIN_MEMORY_LIMIT"}
    if _is_too_large(error):
        return {**described, "code": "PLUGIN_SCRATCH_LIMIT"}
    if isinstance(error, ImportError):
        return {**described, "code": "PLUGIN_IMPORT", "module": _module(error)}
    return {**described, "code": "PLUGIN_RAISED"}


def _message(error: BaseException, plugin: Plugin) -> str:
    words = _words(error)
    if isinstance(error, SyntaxError) and error.filename == plugin.file_name:
        return f"plugin {plugin.name} is not valid Python: {error.msg} (line {error.lineno})"
    if plugin.error is error:
        return f"plugin {plugin.name} is not valid Python: {words}"
    if isinstance(error, MemoryError):
        return f"plugin {plugin.name} needs more memory than its limit: {words}"
    if _is_too_large(error):
        return f"plugin {plugin.name} writes more to its working folder than its limit: {words}"
    if isinstance(error, ImportError):
        module = _module(error)
        return f"plugin {plugin.name} can't import {module}: {words}" if module else f"plugin {plugin.name} can't import: {words}"
    return f"plugin {plugin.name} raised {words}"


def _is_too_large(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EFBIG


def _words(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:
        said = "(its message can't be made)"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _module(error: ImportError) -> str | None:
    """The name of a module that is not there; pandas and others only say it in words."""
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        return error.name
    found = re.search(r"[Mm]issing optional dependency '([\w.-]+)'", str(error))
    return found.group(1) if found else None


def _raised(fault: Fault) -> str | None:
    """A fault found inside of a call by the plugin has lines of it to show; one in what it yielded has none."""
    shown = traceback.TracebackException.from_exception(fault)
    _cut_own_frames(shown)
    return _cut("".join(shown.format()), _TRACEBACK_LETTERS_MAX) if shown.stack else None


def _traceback(error: BaseException) -> str:
    try:
        shown = traceback.TracebackException.from_exception(error)
        _cut_own_frames(shown)
        return _cut("".join(shown.format()), _TRACEBACK_LETTERS_MAX)
    except Exception:
        return _words(error)


def _cut_own_frames(shown: traceback.TracebackException) -> None:
    todo, seen = [shown], set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if not frame.filename.startswith(_OWN_FOLDERS)])
        todo += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or [])]


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
