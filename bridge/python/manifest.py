"""Reads what a plugin says of itself: source on stdin, JSON on stdout. Nothing of the plugin is run: its source is parsed only."""

import ast
import json
import sys
from collections.abc import Iterator
from typing import Any

_NAMES_MAX = 1000


def main() -> None:
    source = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        told = read(source)
    except SyntaxError as error:
        told = {"syntax": {"message": error.msg, "line": error.lineno, "text": (error.text or "").strip()[:200]}}
    except (ValueError, RecursionError, MemoryError) as error:
        told = {"syntax": {"message": str(error) or type(error).__name__, "line": None, "text": ""}}
    json.dump(told, sys.stdout)


def read(source: str) -> dict[str, Any]:
    tree = ast.parse(source, "plugin")
    # Compiling finds what parsing lets pass, such as a return outside of a function.
    compile(tree, "plugin", "exec", dont_inherit=True)
    return {
        "handler": _handler(tree),
        "manifest": _manifest(tree),
        "imports": sorted(set(_imports(tree)))[:_NAMES_MAX],
        "publishes": list(dict.fromkeys(_published(tree)))[:_NAMES_MAX],
    }


def _handler(tree: ast.Module) -> str:
    """`class`, `absent`, `no execute`, `unknown` (something that only running could tell), or what it is instead of a class."""
    found = "absent"
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef) and node.name == "Handler":
            # What it does not define itself it may inherit.
            found = "class" if node.bases or node.decorator_list or _defines_execute(node) else "no execute"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "Handler":
            found = "a function"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and "Handler" in _names(node):
            value = node.value
            found = f"a value of type {type(value.value).__name__}" if isinstance(value, ast.Constant) else "unknown"
            found = {ast.Lambda: "a function", ast.Dict: "a dict", ast.List: "a list", ast.Tuple: "a tuple"}.get(type(value), found)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and any((name.asname or name.name) in ("Handler", "*") for name in node.names):
            found = "unknown" if found == "absent" else found
    return found


def _defines_execute(handler: ast.ClassDef) -> bool:
    for node in _top_level(handler.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "execute":
            return True
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and "execute" in _names(node):
            return True
    return False


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the body runs, also those in its ifs, tries and withs."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for inner in (getattr(node, part, []) for part in ("body", "orelse", "finalbody")):
                yield from _top_level(inner)
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _manifest(tree: ast.Module) -> dict[str, Any]:
    """`value`, or `wrong` that says why there is none though there is a MANIFEST."""
    told: dict[str, Any] = {}
    for node in _top_level(tree.body):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and "MANIFEST" in _names(node) and node.value is not None:
            try:
                value = ast.literal_eval(node.value)
                json.dumps(value, allow_nan=False)
                told = {"value": value, "line": node.lineno}
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                told = {"wrong": "it is not made of literals only", "line": node.lineno}
    return told


def _imports(tree: ast.Module) -> Iterator[str]:
    """Modules by their top-level name, without Python's own and without those that the plugin can do without."""
    optional = {id(node) for node in _optional(tree)}
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "casparian_flow":
                yield top


def _optional(tree: ast.Module) -> Iterator[ast.AST]:
    """What stands in a `try` that catches a failed import, or is for type checkers only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(_catches_import(handler.type) for handler in node.handlers):
            guarded: list[ast.stmt] = node.body
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            guarded = node.body
        else:
            continue
        for statement in guarded:
            yield from ast.walk(statement)


def _catches_import(caught: ast.expr | None) -> bool:
    names = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
    return caught is None or any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(caught))


def _published(tree: ast.Module) -> Iterator[str]:
    """Names of outputs that stand in the code: `self.publish("name", …)`, `yield "name", …`, `return "name", …`."""
    for node in sorted(ast.walk(tree), key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))):
        first: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "publish":
            topic = next((word.value for word in node.keywords if word.arg == "topic"), None)
            first = node.args[0] if node.args else topic
        elif isinstance(node, (ast.Yield, ast.Return)) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            first = node.value.elts[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


if __name__ == "__main__":
    main()
