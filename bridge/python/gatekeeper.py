"""Tells what a plugin's code reaches for: source on stdin, JSON on stdout. Nothing of the plugin is run: its source is parsed only.

A name is followed through imports, `import … as`, assignments to plain names, getattr, vars and sys.modules with literals, and
importlib.import_module with a literal, without regard to scopes. What is found is told once, where the code takes hold of it.
What passes through containers, attributes, parameters or computed names is not followed: this is advice, and the sandbox is the wall.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

_FOUND_MAX = 500
_ALIAS_ROUNDS_MAX = 10


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# By kind: modules and names in modules; what lies below one of them belongs to it.
_REACHES: dict[str, tuple[str, ...]] = {
    "network": _words("""
        socket _socket socketserver ssl _ssl http urllib.request urllib.robotparser xmlrpc ftplib smtplib poplib imaplib nntplib telnetlib
        webbrowser wsgiref asyncio.open_connection asyncio.open_unix_connection asyncio.start_server asyncio.start_unix_server
        logging.handlers.SocketHandler logging.handlers.DatagramHandler logging.handlers.SysLogHandler logging.handlers.HTTPHandler
        logging.handlers.SMTPHandler requests httpx httplib2 aiohttp urllib3 pycurl websocket websockets tornado twisted flask paramiko fabric
        asyncssh pysftp smbclient boto boto3 botocore aiobotocore s3fs gcsfs adlfs azure google.cloud google.auth googleapiclient grpc zmq
        pika kafka confluent_kafka paho redis pymongo psycopg psycopg2 asyncpg pymysql MySQLdb mysql pyodbc pymssql oracledb cx_Oracle
        snowflake elasticsearch ldap3 dns scapy selenium playwright pyarrow.flight pyarrow.fs.S3FileSystem pyarrow.fs.GcsFileSystem
        pyarrow.fs.AzureFileSystem pyarrow.fs.HadoopFileSystem
    """),
    "process": _words("""
        subprocess _posixsubprocess pty multiprocessing concurrent.futures.ProcessPoolExecutor concurrent.futures.process os.system os.popen
        os.fork os.forkpty os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp
        os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe os.posix_spawn os.posix_spawnp os.startfile os.kill os.killpg
        asyncio.create_subprocess_exec asyncio.create_subprocess_shell psutil pexpect plumbum sh invoke joblib.Parallel
    """),
    "dynamic": _words("""
        builtins.eval builtins.exec builtins.compile importlib.util importlib.machinery importlib.reload imp runpy code codeop zipimport
        pickle.load pickle.loads pickle.Unpickler _pickle marshal.load marshal.loads shelve dill cloudpickle jsonpickle joblib.load torch.load
        pandas.read_pickle yaml.unsafe_load yaml.unsafe_load_all yaml.full_load yaml.UnsafeLoader types.FunctionType types.CodeType
    """),
    "native": _words("ctypes _ctypes cffi _cffi_backend mmap numpy.ctypeslib"),
    "environment": _words("os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv os.path.expandvars dotenv"),
}
_KINDS = {name: kind for kind, names in _REACHES.items() for name in names}
# The system's modules that os takes its functions from, and their like.
_SAME = {
    "posix": "os",
    "nt": "os",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "__builtins__": "builtins",
    "multiprocess": "multiprocessing",
}
_BUILTINS = _words("eval exec compile __import__ getattr vars globals locals")
# Attributes through which code gets at what it has not imported.
_INNARDS = _words("__subclasses__ __globals__ __builtins__ __code__ __loader__")
_REMOTE = re.compile(r"(https?|ftps?|sftp|s3[an]?|gs|gcs|az|abfss?|adl|hdfs)://", re.IGNORECASE)
_READERS = _words("pandas polars pyarrow duckdb")


def main() -> None:
    source = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        told = examine(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = {"found": [], "more": 0, "imports": [], "gaveUp": str(error) or type(error).__name__}
    json.dump(told, sys.stdout)


def examine(source: str) -> dict[str, Any]:
    tree = ast.parse(source, "plugin")
    # As ast counts lines, in the bytes that its columns are in.
    lines = [line.encode("utf-8", "surrogateescape") for line in re.split(r"\r\n|\r|\n", source)]

    def place(node: Any) -> dict[str, int]:
        return {"line": node.lineno, "column": len(lines[node.lineno - 1][: node.col_offset].decode("utf-8", "replace")) + 1}

    names = _Names(tree)
    found: dict[tuple[int, int, str], dict[str, Any]] = {}
    for kind, subject, node in names.reached():
        where = place(node)
        found.setdefault((where["line"], where["column"], kind), {"kind": kind, "subject": subject[:200], **where})
    ordered = [found[key] for key in sorted(found)]
    return {
        "found": ordered[:_FOUND_MAX],
        "more": max(0, len(ordered) - _FOUND_MAX),
        "imports": [{"module": module[:200], **place(node)} for module, node in names.imported()][:_FOUND_MAX],
        "gaveUp": None,
    }


class _Names:
    """What the names of a file stand for, as far as its imports and assignments tell."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = list(ast.walk(tree))
        self.defined = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        self.parameters = {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        self.aliases: dict[str, str] = {}
        # Modules whose import is told, by the name under which they are known here.
        self.told = {key for module, _ in self.imported() for key in [_key(module)] if key is not None}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    top = name.name.split(".")[0]
                    self.aliases[name.asname or top] = name.name if name.asname else top
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                for name in node.names:
                    self.aliases[name.asname or name.name] = f"{node.module}.{name.name}"
                if any(name.name == "*" for name in node.names):
                    self._import_all(_canonical(node.module))
        self._follow_assignments()

    def _import_all(self, module: str) -> None:
        for name in _KINDS:
            head, _, last = name.rpartition(".")
            if head == module:
                self.aliases.setdefault(last, name)

    def _follow_assignments(self) -> None:
        pairs = [pair for node in self.nodes for pair in _assigned(node)]
        # A name may be given on before the line that gives it.
        for _ in range(_ALIAS_ROUNDS_MAX):
            before = len(self.aliases)
            for name, value in pairs:
                meant = None if name in self.aliases else self.meant(value)
                if meant is not None and meant != name:
                    self.aliases[name] = meant
            if len(self.aliases) == before:
                return

    def imported(self) -> Iterator[tuple[str, Any]]:
        """Modules that import statements name, and where."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((name.name, name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module, node

    def reached(self) -> Iterator[tuple[str, str, Any]]:
        """Kind, name and place."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((kind, name.name, name) for name in node.names for kind in _imported(name.name))
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield from self._imported_from(node)
            elif isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)) and isinstance(node.ctx, ast.Load):
                yield from self._taken(node)
            elif isinstance(node, ast.Call):
                yield from self._called(node)

    def _imported_from(self, node: ast.ImportFrom) -> Iterator[tuple[str, str, Any]]:
        module = node.module or ""
        kinds = list(_imported(module))
        if kinds:
            yield from ((kind, module, node) for kind in kinds)
            return
        for name in node.names:
            full = f"{module}.{name.name}"
            kind = _kind(full)
            if kind is not None:
                yield kind, full, name
            elif name.name == "*":
                # Whatever it has comes in; a use of it is told where it is used.
                yield from ((_KINDS[name], name, use) for name, use in self._uses_of_all(_canonical(module)))

    def _uses_of_all(self, module: str) -> Iterator[tuple[str, ast.Name]]:
        for node in self.nodes:
            if isinstance(node, ast.Name) and self.aliases.get(node.id) == f"{module}.{node.id}" in _KINDS:
                yield f"{module}.{node.id}", node

    def _taken(self, node: ast.Attribute | ast.Subscript | ast.Name) -> Iterator[tuple[str, str, Any]]:
        if isinstance(node, ast.Attribute) and node.attr in _INNARDS:
            yield "dynamic", node.attr, node
        # An alias is told where it was made.
        if isinstance(node, ast.Name) and not (self._is_builtin(node.id) or node.id == "__builtins__"):
            return
        meant = self.meant(node)
        key = None if meant is None else _key(meant)
        # Below what is told already there is nothing new.
        if (
            meant is not None
            and key is not None
            and key not in self.told
            and not (isinstance(node, ast.Attribute) and self._is_told(node.value))
        ):
            yield _KINDS[key], meant.removeprefix("builtins."), node

    def _is_told(self, value: ast.expr) -> bool:
        meant = self.meant(value)
        return meant is not None and _kind(meant) is not None

    def _called(self, node: ast.Call) -> Iterator[tuple[str, str, Any]]:
        meant = self.meant(node.func)
        first = _text(node.args[0]) if node.args else None
        if meant in ("builtins.__import__", "importlib.import_module", "importlib.__import__"):
            # With a literal it is an import like any other.
            if first is None:
                yield "dynamic", meant.removeprefix("builtins."), node
            else:
                yield from ((kind, first, node) for kind in _imported(first))
        elif meant in ("builtins.getattr", "builtins.vars") and node.args:
            of = self.meant(node.args[0])
            computed = meant == "builtins.getattr" and len(node.args) > 1 and _text(node.args[1]) is None
            if of in ("os", "builtins", "importlib", "sys", "sys.modules") and computed:
                yield "dynamic", f"getattr on {of}", node
            elif meant == "builtins.getattr" and self.meant(node) is not None and not self._is_told(node.args[0]):
                full = self.meant(node) or ""
                kind = _kind(full)
                if kind is not None:
                    yield kind, full.removeprefix("builtins."), node
        elif meant == "numpy.load" and any(word.arg == "allow_pickle" and not _is_false(word.value) for word in node.keywords):
            yield "dynamic", "numpy.load with allow_pickle", node
        elif meant in ("yaml.load", "yaml.load_all") and not _loads_safely(node):
            yield "dynamic", meant, node
        if meant is not None and meant.split(".")[0] in _READERS and first is not None and _REMOTE.match(first):
            yield "network", f"{meant} of {first.split('://')[0]}://", node

    def meant(self, node: ast.expr) -> str | None:
        """The dotted name that an expression stands for; None where the file does not tell."""
        meant = self._meant(node)
        return None if meant is None else _canonical(meant)

    def _meant(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            if node.id in self.aliases:
                return self.aliases[node.id]
            return f"builtins.{node.id}" if self._is_builtin(node.id) else "builtins" if node.id == "__builtins__" else None
        if isinstance(node, ast.NamedExpr):
            return self.meant(node.value)
        if isinstance(node, ast.Attribute):
            of = self.meant(node.value)
            return of if of is None or node.attr == "__dict__" else f"{of}.{node.attr}"
        if isinstance(node, ast.Subscript):
            return self._item(self.meant(node.value), _text(node.slice))
        return self._result(node) if isinstance(node, ast.Call) else None

    def _item(self, of: str | None, key: str | None) -> str | None:
        if of is None or key is None:
            return None
        if of in ("sys.modules", "builtins.globals()"):
            return self._global(key) if of == "builtins.globals()" else key
        return f"{of}.{key}" if _is_module(of) else None

    def _global(self, name: str) -> str | None:
        return self.aliases.get(name) or ("builtins" if name == "__builtins__" else None)

    def _result(self, node: ast.Call) -> str | None:
        called = self.meant(node.func)
        first = _text(node.args[0]) if node.args else None
        if called in ("builtins.__import__", "importlib.import_module", "importlib.__import__") and first is not None:
            # The function gives the topmost package, the module what is asked for.
            return first.split(".")[0] if called == "builtins.__import__" else first
        if called == "builtins.getattr" and len(node.args) > 1:
            return self._item_of(node.args[0], _text(node.args[1]))
        if called == "builtins.vars" and node.args:
            return self.meant(node.args[0])
        if called in ("sys.modules.get", "sys.modules.__getitem__", "sys.modules.pop"):
            return first
        return "builtins.globals()" if called in ("builtins.globals", "builtins.locals") else None

    def _item_of(self, node: ast.expr, key: str | None) -> str | None:
        of = self.meant(node)
        return None if of is None or key is None else f"{of}.{key}"

    def _is_builtin(self, name: str) -> bool:
        return name in _BUILTINS and name not in self.aliases and name not in self.defined and name not in self.parameters


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    targets: list[ast.expr] = []
    value: ast.expr | None = None
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        targets, value = [node.target], node.value
    for target in targets:
        if isinstance(target, ast.Name) and value is not None:
            yield target.id, value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            yield from ((each.id, given) for each, given in zip(target.elts, value.elts, strict=True) if isinstance(each, ast.Name))


def _canonical(name: str) -> str:
    top, dot, rest = name.partition(".")
    return f"{_SAME.get(top, top)}{dot}{rest}"


def _key(name: str) -> str | None:
    """The name in the list that this one is or lies below."""
    parts = _canonical(name).split(".")
    heads = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((head for head in heads if head in _KINDS), None)


def _kind(name: str) -> str | None:
    key = _key(name)
    return None if key is None else _KINDS[key]


def _imported(module: str) -> Iterator[str]:
    kind = _kind(module)
    if kind is not None:
        yield kind


def _is_module(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names and _kind(name) is None


def _text(node: ast.expr) -> str | None:
    """A text that stands there, also in parts that are added."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    return None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _loads_safely(node: ast.Call) -> bool:
    loaders = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "Loader")]
    return any(ast.unparse(loader).rpartition(".")[2] in ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader") for loader in loaders)


if __name__ == "__main__":
    main()
