"""The hosts that an operator has granted, for a plugin whose network namespace has no interface but its own loopback.

Inside each host has an address of the loopback, and a socket listens there, made inside and handed out: it stays a socket of the namespace.
Outside, where this bridge's launcher is, its connections are taken and led on to the host. Names resolve by a hosts file of the plugin's own.
"""

import contextlib
import fcntl
import os
import socket
import struct
import threading
from dataclasses import dataclass

from . import kernel

_SIOCSIFFLAGS, _SIOCSIFADDR = 0x8914, 0x8916
_UP_AND_RUNNING = 0x41
_CONNECTIONS_MAX = 128
_CONNECT_SECONDS = 30
_PIECE_BYTES = 256 * 1024

# What resolving names and checking certificates takes.
FILES = (
    "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/usr/share/ca-certificates",
)  # fmt: skip


@dataclass(frozen=True)
class Host:
    name: str
    port: int
    # Of the loopback inside.
    address: str


def places(granted: list[str]) -> list[Host]:
    """From `name:port`. An address stays what it is, so that plugins that know hosts by address find them."""
    names: dict[str, str] = {"localhost": "127.0.0.1"}
    found = []
    for text in granted:
        name, _, port = text.rpartition(":")
        if name not in names:
            names[name] = name if _is_address(name) else f"127.77.{len(names) // 250}.{len(names) % 250 + 1}"
        found.append(Host(name, int(port), names[name]))
    # One place inside can lead to one host only: localhost and 127.0.0.1 are the same place.
    return list({(host.address, host.port): host for host in found}.values())


def listen(hosts: list[Host], handover: socket.socket) -> None:
    """Inside, before any right is given up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _UP_AND_RUNNING))
        outer = [address for address in dict.fromkeys(host.address for host in hosts) if not address.startswith("127.")]
        for number, address in enumerate(outer):
            request = struct.pack("16sHH4s16x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(device, _SIOCSIFADDR, request)
    for host in hosts:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((host.address, host.port))
            listener.listen(64)
            socket.send_fds(handover, [b"h"], [listener.fileno()])


def name_inside(hosts: list[Host], folder: str) -> None:
    """Puts files that know these names in the place of the system's, in this mount namespace only."""
    lines = [f"{host.address} {host.name}\n" for host in hosts if host.address != host.name]
    for name, text in (("hosts", "".join(["127.0.0.1 localhost\n", *lines])), ("nsswitch.conf", "hosts: files\n")):
        own = os.path.join(folder, name)
        with open(own, "w") as file:
            file.write(text)
        with contextlib.suppress(OSError):
            kernel.mount(own, f"/etc/{name}", None, kernel.MS_BIND)


def forward(hosts: list[Host], handover: socket.socket) -> None:
    """Outside, for as long as the process lives."""
    free = threading.BoundedSemaphore(_CONNECTIONS_MAX)
    for host in hosts:
        _, descriptors, _, _ = socket.recv_fds(handover, 1, 1)
        if not descriptors:
            return
        listener = socket.socket(fileno=descriptors[0])
        threading.Thread(target=_accept, args=(listener, host, free), daemon=True).start()


def _accept(listener: socket.socket, host: Host, free: threading.BoundedSemaphore) -> None:
    while True:
        free.acquire()
        try:
            inner, _ = listener.accept()
        except OSError:
            free.release()
            return
        threading.Thread(target=_lead, args=(inner, host, free), daemon=True).start()


def _lead(inner: socket.socket, host: Host, free: threading.BoundedSemaphore) -> None:
    try:
        with inner:
            try:
                outer = socket.create_connection((host.name, host.port), _CONNECT_SECONDS)
            except OSError:
                # Closed at once and without ceremony: inside it is a connection that was reset.
                inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with outer:
                outer.settimeout(None)
                back = threading.Thread(target=_copy, args=(outer, inner), daemon=True)
                back.start()
                _copy(inner, outer)
                back.join()
    finally:
        free.release()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
        return
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


def _is_address(name: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, name)
    except OSError:
        return False
    return True
