"""Tries to get out; tells of each attempt how it ended. The input file says what of the outside to try."""

import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys


def attempts(outside, file_path):
    def write_beside_input():
        with open(file_path + ".x", "w") as file:
            file.write("x")

    def write_input():
        with open(file_path, "a") as file:
            file.write("x")

    def write_scratch():
        with open("kept.txt", "w") as file:
            file.write("x")

    def unix_socket():
        socket.socket(socket.AF_UNIX).connect(outside["socketPath"])

    def datagram_of_a_pair():
        one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.connect(outside["socketPath"])

    def new_namespace():
        if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
            raise OSError(ctypes.get_errno(), "unshare")

    yield "read passwd", lambda: open("/etc/passwd").read()
    yield "read beside the input", lambda: os.listdir(os.path.dirname(file_path))
    yield "read another file", lambda: open(outside["secretPath"]).read()
    yield "write beside the input", write_beside_input
    yield "write the input", write_input
    yield "write the environment", lambda: open(os.path.join(sys.prefix, "x"), "w")
    yield "connect over TCP", lambda: socket.create_connection(("127.0.0.1", outside["port"]), 1)
    yield "send over UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", outside["port"]))
    yield "connect to a Unix socket", unix_socket
    yield "datagram to a Unix socket", datagram_of_a_pair
    yield "read Node's environment", lambda: open(f"/proc/{outside['nodePid']}/environ").read()
    yield "signal the parent", lambda: os.kill(os.getppid() or outside["nodePid"], 0)
    yield "signal Node", lambda: os.kill(outside["nodePid"], 0)
    yield "run another program", lambda: subprocess.run(["/bin/ls"], check=True)
    yield "make a namespace", new_namespace
    yield "read the input", lambda: open(file_path).read()
    yield "write scratch", write_scratch
    yield "run Python again", lambda: subprocess.run([sys.executable, "-I", "-c", "import json"], check=True)
    yield "map memory", lambda: mmap.mmap(-1, 4096)


class Handler:
    def execute(self, file_path):
        with open(file_path) as file:
            outside = json.load(file)
        rows = []
        for name, attempt in attempts(outside, file_path):
            try:
                attempt()
                rows.append({"attempt": name, "outcome": "reached"})
            except OSError as error:
                rows.append({"attempt": name, "outcome": type(error).__name__})
        rows.append({"attempt": "environment", "outcome": ",".join(sorted(os.environ))})
        rows.append({"attempt": "descriptors", "outcome": str(len([fd for fd in range(3, 256) if _is_open(fd)]))})
        yield rows


def _is_open(descriptor):
    try:
        os.fstat(descriptor)
        return True
    except OSError:
        return False
