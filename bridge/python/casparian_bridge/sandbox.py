"""What keeps a plugin in: namespaces, Landlock, a filter on system calls, capabilities, resource limits.

Two layers. The warm parent runs the import code of other people's libraries, so it gives up everything that no job of its will need; each
plugin's process then keeps its own input and scratch folder only. What the kernel does not offer is left out and told, never fatal.
"""

import contextlib
import os
import resource
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import hosts, kernel, landlock, seccomp, watch

# Without /dev/zero, which gives memory that no process is charged for.
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_SYSTEM = (
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
    "/etc/mime.types",
)  # fmt: skip
# The watch ends a job with fewer; this holds until it looks.
_PROCESSES_MAX = watch.THREADS_MAX + 128
_SIGNALS_MAX = 1024
# How much more than the limit may be allocated to tell that the limit was hit.
_REPORT_RESERVE_BYTES = 64 << 20


@dataclass(frozen=True)
class Walls:
    """What this machine's kernel gives, found out by doing."""

    user_namespace: bool
    pid_namespace: bool
    network_namespace: bool
    landlock: int
    seccomp: bool
    # Opened once: libraries and devices, which every plugin's process may use.
    shared: tuple[landlock.Place, ...] = ()
    # Of hosts that were granted; without a network namespace there are none.
    ports: tuple[int, ...] = ()


def confine_parent(
    entered: int, read: list[str], write: list[str], shared: Sequence[str] = (), granted: Sequence[hosts.Host] = ()
) -> Walls:
    """The first layer, for the warm parent and all that it forks. `entered` says which namespaces it is in; jobs read `shared`, too."""
    version = landlock.abi()
    ports = tuple({host.port for host in granted}) if entered & kernel.CLONE_NEWNET else ()
    libraries = [*_libraries(), *(hosts.FILES if ports else ())]
    walls = Walls(
        user_namespace=bool(entered & kernel.CLONE_NEWUSER),
        pid_namespace=bool(entered & kernel.CLONE_NEWPID),
        network_namespace=bool(entered & kernel.CLONE_NEWNET),
        landlock=version,
        seccomp=seccomp.supported(),
        shared=tuple(landlock.open_places([*libraries, *shared], devices=_DEVICES)) if version > 0 else (),
        ports=ports,
    )
    with contextlib.suppress(OSError):
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if walls.landlock > 0:
        # /proc is for counting the memory of what the plugins start. Landlock itself keeps other processes' secrets in it shut.
        own = landlock.open_places([*read, "/proc"], write)
        landlock.restrict([*walls.shared, *own], walls.landlock, ports)
        landlock.close_places(own)
    with contextlib.suppress(OSError):
        kernel.set_capabilities((kernel.CAP_SYS_ADMIN, kernel.CAP_DAC_READ_SEARCH))
    if walls.seccomp:
        seccomp.restrict(parent=True, tcp=len(ports) > 0)
    return walls


def confine_plugin(walls: Walls, request: dict[str, Any]) -> None:
    """The second layer, for the process that runs the plugin's code. It may allocate `memoryBytes` beyond what it inherited."""
    limit_memory(request["memoryBytes"])  # first: /proc is out of reach afterwards
    if walls.landlock > 0:
        places = [*walls.shared, *landlock.open_places([request["inputPath"], *request.get("readFolders", ())], [request["scratch"]])]
        landlock.restrict(places, walls.landlock, walls.ports)
        landlock.close_places(places)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, watch.FILES_MAX)
    _limit(resource.RLIMIT_FSIZE, request["scratchBytes"])
    if walls.user_namespace:
        # Counted for each user and namespace; without one it would count all that this user runs. The kernel does not hold root to it.
        _limit(resource.RLIMIT_NPROC, _PROCESSES_MAX)
        _limit(resource.RLIMIT_SIGPENDING, _SIGNALS_MAX)
    # Root that reads others' files must go on doing so, but only with Landlock to say which files.
    with contextlib.suppress(OSError):
        kernel.set_capabilities((kernel.CAP_DAC_READ_SEARCH,) if walls.landlock > 0 else ())
    if walls.seccomp:
        seccomp.restrict(parent=False, tcp=len(walls.ports) > 0)


def limit_parent_memory(memory_bytes: int) -> None:
    """Bounds what the warm parent maps for imports to `memory_bytes`; code that lifts this gets no more than twice as much. Jobs, which are
    limited anew, have room for their own."""
    base = mapped_bytes()
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (base + memory_bytes, base + 2 * memory_bytes + _REPORT_RESERVE_BYTES))


def limit_memory(memory_bytes: int) -> None:
    """Bounds private memory (RLIMIT_DATA: mapped and writable, touched or not) to what is mapped now plus `memory_bytes`."""
    limit = mapped_bytes() + memory_bytes
    hard = limit + _REPORT_RESERVE_BYTES
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def release_memory_reserve() -> None:
    """Lets a process that hit its limit allocate the little that a report takes."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def mapped_bytes() -> int:
    """This process's private writable memory as RLIMIT_DATA counts it."""
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmData:"):
                return int(line.split()[1]) * 1024
    raise OSError("no VmData in /proc/self/status")


def _libraries() -> list[str]:
    """What any Python of this environment reads: itself, its environment, the system's libraries, time zones."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = sysconfig.get_paths()
    # Asked before `site` has run, so sys.prefix does not tell the environment yet.
    environment = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    whole = [environment] if os.path.exists(os.path.join(environment, "pyvenv.cfg")) else []
    python = [*whole, paths["stdlib"], paths["platstdlib"], os.path.realpath(sys.executable), os.path.join(sys.base_prefix, "lib")]
    return [own, *python, *_SYSTEM]


def _limit(which: int, most: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(which)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))
