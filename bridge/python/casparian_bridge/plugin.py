"""A plugin's source, compiled once in the warm parent and run in each plugin process."""

import importlib
import importlib.util
import linecache
import os
import sys
import types
from typing import Any

from .fault import Fault


class Plugin:
    """One file, or a folder: then its modules are imported from where Node has laid them, by the plugin's process only."""

    def __init__(self, name: str, source: str, default_output: str, folder: dict[str, Any] | None = None) -> None:
        self.name = name
        self.default_output = default_output
        self.folder = folder
        self.file_name = f"{name}.py" if folder is None else os.path.join(folder["code"], folder["entry"])
        self.sources = [source] if folder is None else [source, *folder["sources"]]
        self.own_names = frozenset(folder["ownNames"] if folder is not None else ())
        # That its process reads beside its libraries.
        self.folders = [] if folder is None else [folder["code"]]
        self.code: types.CodeType | None = None
        self.error: Exception | None = None
        if folder is None:
            self._compile(source)

    def _compile(self, source: str) -> None:
        # Compiling runs nothing of it. What it says against the source is raised again where it can be reported.
        try:
            self.code = compile(source, self.file_name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.error = error
        # Without a modification time linecache never looks for the file, so tracebacks show these lines.
        linecache.cache[self.file_name] = (len(source), None, source.splitlines(keepends=True), self.file_name)

    def handler(self) -> Any:
        """Runs the source and makes the handler, once in each process."""
        names = self._run() if self.folder is None else self._import(self.folder)
        handler = names.get("Handler")
        if handler is None:
            raise Fault("PLUGIN_NO_HANDLER", f"plugin {self.name} has no class named Handler")
        if not isinstance(handler, type):
            raise Fault("PLUGIN_HANDLER_NOT_A_CLASS", f"in plugin {self.name} Handler is not a class but {_kind(handler)}")
        if not callable(getattr(handler, "execute", None)):
            raise Fault("PLUGIN_NO_HANDLER", f"in plugin {self.name} the class Handler has no method execute(self, file_path)")
        return handler()

    def _import(self, folder: dict[str, Any]) -> dict[str, Any]:
        sys.path.insert(0, folder["root"])
        return importlib.import_module(folder["module"]).__dict__

    def shorten(self, text: str) -> str:
        """With paths of its files as they are in its folder."""
        return text if self.folder is None else text.replace(self.folder["code"] + os.sep, "")

    def _run(self) -> dict[str, Any]:
        if self.code is None:
            raise self.error or Fault("PLUGIN_SYNTAX", f"plugin {self.name} can't be compiled")
        # Not in the warm parent, which makes this before it knows the environment's packages.
        module_name = _free_module_name(self.name)
        module = types.ModuleType(module_name)
        module.__file__ = self.file_name
        sys.modules[module_name] = module
        exec(self.code, module.__dict__)
        return module.__dict__


def _kind(value: object) -> str:
    return "a function" if isinstance(value, types.FunctionType) else f"a value of type {type(value).__name__}"


def _free_module_name(name: str) -> str:
    """The plugin's own name, so that loggers and pickles show it, unless something that it may import is called so."""
    known = not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names
    try:
        known = known or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        known = True
    return "plugin_" + "".join(letter if letter.isalnum() else "_" for letter in name) if known else name
