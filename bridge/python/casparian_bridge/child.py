"""The plugin's process: confined, then the plugin's own code, then out."""

import contextlib
import faulthandler
import gc
import inspect
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from typing import Any, NoReturn

from casparian_flow import sdk

from . import channel, descriptors, logs, namespaces, report, sandbox, tree
from .charge import Charge
from .fault import Fault
from .outputs import Outputs
from .plugin import Plugin
from .table import is_table


def run(charge: Charge, plugin: Plugin, walls: sandbox.Walls) -> NoReturn:
    """Runs in the freshly forked process and ends it."""
    status = 70
    try:
        sent = channel.Channel(charge.streams["d"], charge.zeromq)
        try:
            _settle(charge, walls)
        except BaseException as error:
            told = {"code": "PLUGIN_NOT_STARTED", "message": f"plugin {plugin.name} could not be started: {error!r}"}
            sent.send(channel.ERROR, 0, [json.dumps({**told, "traceback": traceback.format_exc()}).encode()])
        else:
            status = _process(charge, plugin, sent)
    finally:
        os._exit(status)


def _settle(charge: Charge, walls: sandbox.Walls) -> None:
    """Everything between the fork and the first foreign line of code."""
    streams, request = charge.streams, charge.request
    signal.set_wakeup_fd(-1)
    os.setsid()
    if walls.pid_namespace:
        os.write(charge.report, tree.own_number().encode())
    nowhere = os.open("/dev/null", os.O_RDONLY)
    for descriptor, number in ((nowhere, 0), (streams["o"], 1), (streams["e"], 2)):
        os.dup2(descriptor, number)
    descriptors.keep_open({streams["d"], streams["l"], *(place.descriptor for place in walls.shared)})
    # The filter on system calls keeps the plugin from taking this back.
    namespaces.die_with_parent()
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(request["scratch"])
    os.environ.update(HOME=request["scratch"], TMPDIR=request["scratch"])
    tempfile.tempdir = None
    sys.argv = [f"{request['name']}.py"]
    logs.send_to(streams["l"])
    faulthandler.enable()
    _new_random_numbers()
    sandbox.confine_plugin(walls, request)
    gc.enable()


def _new_random_numbers() -> None:
    """Forks of one process would all draw the same; Python's own `random` sees to it by itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))


def _process(charge: Charge, plugin: Plugin, sent: channel.Channel) -> int:
    outputs = Outputs(sent.send, plugin.default_output)
    sdk.connect(lambda topic, frame: outputs.put(topic, frame, _published_at(plugin)))
    began = time.perf_counter()
    try:
        handler = plugin.handler()
        _take(handler.execute(charge.request["inputPath"]), outputs, plugin)
        outputs.finish(time.perf_counter() - began)
    except SystemExit as exiting:
        _flush()
        return exiting.code if isinstance(exiting.code, int) else 0 if exiting.code is None else _exit_words(exiting.code)
    except BaseException as error:
        if isinstance(error, MemoryError):
            sandbox.release_memory_reserve()
        _flush()
        with contextlib.suppress(OSError):
            sent.send(channel.ERROR, 0, [json.dumps(report.describe(error, plugin)).encode()])
        return 1
    _flush()
    return 0


def _take(result: Any, outputs: Outputs, plugin: Plugin) -> None:
    """What `execute` returns: nothing, one table, or something that gives tables one after the other."""
    if result is None:
        return
    if inspect.iscoroutine(result) or inspect.isasyncgen(result):
        hint = "Make it `def execute`, without async."
        raise Fault("PLUGIN_WRONG_TYPE", f"in plugin {plugin.name} execute is asynchronous, which is not supported", hint)
    pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], str)
    if pair or is_table(result) or isinstance(result, (dict, str, bytes)) or not isinstance(result, Iterable):
        outputs.put_value(result, f", returned by plugin {plugin.name}")
        return
    for value in result:
        frame = getattr(result, "gi_frame", None)
        line = f" in line {frame.f_lineno}" if frame is not None and frame.f_code.co_filename == plugin.file_name else ""
        outputs.put_value(value, f", yielded by plugin {plugin.name}{line}")


def _published_at(plugin: Plugin) -> str:
    frame = sys._getframe(3)  # of the lambda, of the SDK, of the plugin
    line = f" in line {frame.f_lineno}" if frame.f_code.co_filename == plugin.file_name else ""
    return f", published by plugin {plugin.name}{line}"


def _exit_words(code: object) -> int:
    """`sys.exit("words")` prints them and ends with 1."""
    print(code, file=sys.stderr, flush=True)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
