"""Takes the process into namespaces of its own, as far as the kernel lets it.

launcher ─ fork ─▶ keeper (unshares) ─ fork ─▶ warm parent, process 1 of its namespace.
When process 1 ends, the kernel ends all that is in there and waits for it; so when the launcher ends, nothing is left.
"""

import contextlib
import os
import signal
import socket
import threading

from . import hosts, kernel

_ALL = kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
_WITHOUT_USER = _ALL & ~kernel.CLONE_NEWUSER


def enter(close_in_others: list[int], granted: list[hosts.Host], home: str) -> int:
    """Returns, in the warm parent only, the flags of the namespaces that it is in; the launcher and the keeper wait for it and exit. The
    launcher, which stays outside, leads connections to the granted hosts on."""
    outside, inside = socket.socketpair()
    unshared_read, unshared_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    keeper = os.fork()
    if keeper != 0:
        _close([*close_in_others, unshared_write, mapped_read])
        if os.read(unshared_read, 1) == b"u":
            _map_ids(keeper)
        _close([unshared_read, mapped_write])
        inside.close()
        if granted:
            threading.Thread(target=hosts.forward, args=(granted, outside), daemon=True).start()
        _follow(keeper)
    _close([unshared_read, mapped_write])
    outside.close()
    die_with_parent()
    entered = _unshare()
    os.write(unshared_write, b"u" if entered & kernel.CLONE_NEWUSER else b"-")
    os.read(mapped_read, 1)  # the end of the file says that the ids are mapped
    _close([unshared_write, mapped_read])
    if entered & kernel.CLONE_NEWPID:
        warm = os.fork()
        if warm != 0:
            inside.close()
            _close(close_in_others)
            _follow(warm)
        _own_mounts(granted if entered & kernel.CLONE_NEWNET else [], home)
    with inside:
        if entered & kernel.CLONE_NEWNET and granted:
            hosts.listen(granted, inside)
    die_with_parent()
    return entered


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """The kernel sends the signal when the parent has ended, however that happens."""
    with contextlib.suppress(OSError):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, by)


def _own_mounts(granted: list[hosts.Host], home: str) -> None:
    """Gives the namespace a /proc of its own, without the command lines of others. Where /proc is masked, as in containers, it stays."""
    with contextlib.suppress(OSError):
        kernel.call("unshare", kernel.CLONE_NEWNS)
        # What is mounted outside later is seen here, too, and nothing the other way.
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_SLAVE)
        if granted:
            hosts.name_inside(granted, home)
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def _unshare() -> int:
    for flags in (_ALL, _WITHOUT_USER, kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET):
        with contextlib.suppress(OSError):
            kernel.call("unshare", flags)
            return flags
    return 0


def _map_ids(keeper: int) -> None:
    """Keeps every id what it is. Root maps all ids, so that it still reads other users' files; others may only map themselves."""
    with contextlib.suppress(OSError):
        for kind in ("uid", "gid"):
            with open(f"/proc/self/{kind}_map") as own:
                extents = [line.split() for line in own]
            _write(f"/proc/{keeper}/{kind}_map", "".join(f"{inside} {inside} {count}\n" for inside, _, count in extents))
        return
    with contextlib.suppress(OSError):
        _write(f"/proc/{keeper}/setgroups", "deny")
        _write(f"/proc/{keeper}/gid_map", f"{os.getegid()} {os.getegid()} 1\n")
        _write(f"/proc/{keeper}/uid_map", f"{os.geteuid()} {os.geteuid()} 1\n")


def _write(path: str, text: str) -> None:
    # One write: the kernel takes a map whole or not at all.
    place = os.open(path, os.O_WRONLY)
    try:
        os.write(place, text.encode())
    finally:
        os.close(place)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _follow(child: int) -> None:
    """Waits for the child and ends as it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
