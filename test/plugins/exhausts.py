"""Takes more than there is for it, in the way that its input file names."""

import contextlib
import ctypes
import mmap
import os
import socket
import stat
import threading
import time


def fork_bomb():
    # Should it ever get through, it stops before the machine does.
    began = time.monotonic()
    while time.monotonic() - began < 15:
        try:
            os.fork()
        except OSError:
            pass


def thread_bomb():
    threading.stack_size(64 * 1024)
    while True:
        try:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        except RuntimeError:
            time.sleep(0.01)


def memory():
    eaten = []
    while True:
        eaten.append(bytearray(16 << 20))


def memory_together():
    for _ in range(16):
        if os.fork() == 0:
            own = bytearray(b"y" * (32 << 20))
            time.sleep(600)
            os._exit(len(own) & 1)
    time.sleep(600)


def tables_of_pages():
    """Pages that are only read are no memory of the process, and need tables to be found."""
    held = []
    while True:
        region = mmap.mmap(-1, 16 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
        held.append(region)
        for at in range(0, len(region), 2 << 20):
            region[at]


def sockets():
    """The kernel's own memory: what was sent and not read."""
    for _ in range(4):
        os.fork()
    held = []
    while True:
        try:
            one, other = socket.socketpair()
            one.setblocking(False)
            held.append((one, other))
            one.send(bytes(1024))
        except OSError:
            time.sleep(0.01)


def one_large_file():
    with open("large", "wb") as file:
        while True:
            file.write(bytes(4 << 20))


def many_files():
    for number in range(10_000):
        with open(f"file-{number}", "wb") as file:
            file.write(bytes(4 << 20))
    time.sleep(600)


def files_without_names():
    held = []
    for number in range(64):
        file = open("nameless", "wb")
        held.append(file)
        os.unlink("nameless")
        file.write(bytes(8 << 20))
        file.flush()
    time.sleep(600)


def files_only_mapped():
    held = []
    for _ in range(200):
        with open("mapped", "w+b") as file:
            file.write(bytes(8 << 20))
            held.append(mmap.mmap(file.fileno(), 4096))
        os.unlink("mapped")
        # Python's map keeps a descriptor of its own.
        for descriptor in range(3, 64):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.close(descriptor)
    time.sleep(600)


def closed_folders():
    os.mkdir("closed", 0o300)
    os.chdir("closed")
    many_files()


def deep_folders():
    for _ in range(3_000):
        os.mkdir("deep", 0o700)
        os.chdir("deep")
    open("bottom", "w").close()
    time.sleep(600)


def empty_files():
    for number in range(1_000_000):
        os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))


def processor():
    ctypes.CDLL(None).signal(15, 1)
    while True:
        pass


class Handler:
    def execute(self, file_path):
        with open(file_path) as file:
            globals()[file.read()]()
