"""Tries to get out in every way that we know, and tells of each attempt how it ended. The input file says what of the outside to try."""

import ctypes
import json
import mmap
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"


def call(name, *args):
    result = getattr(libc, name)(*args)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def syscall(x86, arm, *args):
    whole = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return call("syscall", ctypes.c_long(x86 if X86 else arm), *whole)


def unless(changed):
    """For what answers as if it were done: whether it was."""
    if not changed:
        raise PermissionError("nothing was changed")


def reads(out, file_path):
    def through(make, *args):
        make(*args)
        open("way-out").read()

    def read_memory():
        local = ctypes.create_string_buffer(8)
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(local), 8)
        syscall(310, 270, out["nodePid"], ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)

    yield "read passwd", lambda: open("/etc/passwd").read()
    yield "read passwd through /proc", lambda: open("/proc/self/root/etc/passwd").read()
    yield "read another file", lambda: open(out["secretPath"]).read()
    yield "read beside the input", lambda: os.listdir(os.path.dirname(file_path))
    yield "read through a symbolic link", lambda: through(os.symlink, out["secretPath"], "way-out")
    yield "read through a hard link", lambda: (os.unlink("way-out"), through(os.link, out["secretPath"], "way-out"))
    yield "read after a move", lambda: through(os.rename, out["secretPath"], "way-out")
    yield "read by a file handle", lambda: syscall(304, 265, -100, ctypes.create_string_buffer(136), 0)
    yield "read the database's folder", lambda: os.listdir(out["databaseFolder"])
    yield "read the database's version", lambda: open(os.path.join(out["databaseFolder"], "PG_VERSION")).read()
    for name in ("environ", "mem", "maps", "cmdline", "status"):
        yield f"read the worker's {name}", lambda name=name: open(f"/proc/{out['nodePid']}/{name}", "rb").read(1)
    yield "read its own environ in /proc", lambda: open("/proc/self/environ").read()
    yield "read the worker's memory", read_memory
    yield "compare with the worker", lambda: syscall(312, 272, os.getpid(), out["nodePid"], 0, 0, 0)
    yield "list processes", lambda: os.listdir("/proc")
    yield "list shared memory", lambda: os.listdir("/dev/shm")


def sockets(out):
    tcp, vsock = ("127.0.0.1", out["port"]), getattr(socket, "AF_VSOCK", 40)

    def inherited():
        for descriptor in range(256):
            try:
                own = socket.socket(fileno=os.dup(descriptor))
            except OSError:
                continue
            own.connect(out["socketPath"])

    def pair(kind):
        one, _other = socket.socketpair(socket.AF_UNIX, kind)
        one.connect(out["socketPath"])

    def receive_another():
        # Descriptors that are sent to Node: nobody takes them.
        socket.socketpair()[0].bind("\0cf-abstract")

    yield "connect over TCP", lambda: socket.create_connection(tcp, 1)
    yield "connect to the database", lambda: socket.create_connection(("127.0.0.1", out["databasePort"]), 1)
    yield "listen over TCP", lambda: socket.create_server(("127.0.0.1", 0))
    yield "send over UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", tcp)
    yield "resolve a name", lambda: socket.getaddrinfo("example.com", 80)
    yield "connect to a Unix socket", lambda: socket.socket(socket.AF_UNIX).connect(out["socketPath"])
    yield "connect to an abstract socket", lambda: socket.socket(socket.AF_UNIX).connect("\0" + out["abstractName"])
    yield "connect an inherited descriptor", inherited
    yield "connect a datagram of a pair", lambda: pair(socket.SOCK_DGRAM)
    yield "connect a packet of a pair", lambda: pair(socket.SOCK_SEQPACKET)
    yield "bind a socket of a pair", receive_another
    yield "make a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    yield "make a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    yield "make a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    yield "make a vsock socket", lambda: socket.socket(vsock, socket.SOCK_STREAM)
    yield "make a crypto socket", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)


def writes(out, file_path):
    package = os.__file__

    def write(path, mode="w"):
        with open(path, mode) as file:
            file.write("x")

    def chmod(path):
        before = os.stat(path).st_mode
        os.chmod(path, 0o777)
        unless(os.stat(path).st_mode != before)

    def chmod_open(path):
        with open(path) as file:
            before = os.fstat(file.fileno()).st_mode
            os.fchmod(file.fileno(), 0o777)
            unless(os.fstat(file.fileno()).st_mode != before)

    def utime(path):
        os.utime(path, (1, 1))
        unless(os.stat(path).st_mtime == 1)

    def chown(path):
        before = os.stat(path).st_gid
        os.chown(path, -1, os.getgid() if before != os.getgid() else 12)
        unless(os.stat(path).st_gid != before)

    yield "write beside the input", lambda: write(file_path + ".x")
    yield "write the input", lambda: write(file_path, "a")
    yield "truncate the input", lambda: os.truncate(file_path, 0)
    yield "remove the input", lambda: os.unlink(file_path)
    yield "move the input", lambda: os.rename(file_path, "moved")
    yield "link the input", lambda: os.link(file_path, "linked")
    yield "make a folder beside it", lambda: os.mkdir(file_path + ".d")
    yield "change the input's mode", lambda: chmod(file_path)
    yield "change the open input's mode", lambda: chmod_open(file_path)
    yield "change the input's times", lambda: utime(file_path)
    yield "change the input's group", lambda: chown(file_path)
    yield "change the input's attributes", lambda: os.setxattr(file_path, "user.x", b"x")
    yield "change another file's mode", lambda: chmod(out["secretPath"])
    yield "change another file's times", lambda: utime(out["secretPath"])
    yield "write to /tmp", lambda: write(f"/tmp/cf-{os.getpid()}.x")
    yield "write to /dev/shm", lambda: write("/dev/shm/cf.x")
    yield "write to its packages", lambda: write(os.path.join(os.path.dirname(package), "cf.x"))
    yield "write to its environment", lambda: write(os.path.join(sys.prefix, "cf.x"))
    yield "write a package's code", lambda: write(package, "a")
    yield "close a package to others", lambda: chmod(package)
    yield "make a package seem newer", lambda: utime(package)
    yield "write the bridge's code", lambda: write(sys.modules["casparian_bridge"].__file__, "a")
    yield "make a device", lambda: os.mknod("disk", 0o600 | 0o060000, os.makedev(8, 0))


def processes(out):
    node, parent = out["nodePid"], os.getppid() or out["nodePid"]

    def by_descriptor():
        signal.pidfd_send_signal(os.pidfd_open(node), 0)

    def trace(pid):
        call("ptrace", 16, pid, None, None)

    def trace_own():
        pid = os.fork()
        if pid == 0:
            signal.pause()
        try:
            trace(pid)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    yield "signal the worker", lambda: os.kill(node, 0)
    yield "signal the parent", lambda: os.kill(parent, 0)
    yield "signal everybody", lambda: os.kill(-1, 0)
    yield "signal the worker by descriptor", by_descriptor
    yield "trace the worker", lambda: trace(node)
    yield "trace its own child", trace_own
    yield "limit the worker", lambda: resource.prlimit(node, resource.RLIMIT_CORE, (0, 0))
    yield "slow the worker down", lambda: os.setpriority(os.PRIO_PROCESS, node, 19)
    yield "slow its user down", lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19)
    yield "bind the worker to a processor", lambda: os.sched_setaffinity(node, {0})
    yield "slow the worker's disk down", lambda: syscall(251, 30, 1, node, 3 << 13)
    yield "advise the worker's memory away", lambda: syscall(440, 440, node, 0, 0, 21, 0)
    yield "run another program", lambda: subprocess.run(["/bin/ls"], check=True)
    yield "become another user", lambda: os.setresuid(1, 1, 1)
    yield "outlive its parent's death", lambda: call("prctl", 1, 0, 0, 0, 0)
    yield "hide its descriptors", lambda: call("prctl", 4, 0, 0, 0, 0)


def kernel_calls():
    text = ctypes.create_string_buffer(4096)

    def old_calls():
        """The calls of 32 bits: `mov eax, 20; int 0x80; ret`, in a process of its own."""
        if not X86:
            raise PermissionError("there are none")
        pid = os.fork()
        if pid == 0:
            code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
            code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
            ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            raise PermissionError("ended")

    yield "make a user namespace", lambda: call("unshare", 0x10000000)
    yield "make a mount namespace", lambda: call("unshare", 0x00020000)
    yield "clone into a namespace", lambda: syscall(56, 220, 0x10000000 | 17, 0, 0, 0, 0)
    yield "clone by the newer call", lambda: syscall(435, 435, ctypes.byref((ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)), 88)
    yield "enter a namespace", lambda: call("setns", 0, 0)
    yield "mount", lambda: call("mount", b"none", b".", b"tmpfs", 0, None)
    yield "mount by the newer call", lambda: syscall(430, 430, b"tmpfs", 0)
    yield "change the root", lambda: os.chroot(".")
    yield "load a filter into the kernel", lambda: syscall(321, 280, 5, text, 128)
    yield "watch events of the kernel", lambda: syscall(298, 241, text, 0, -1, -1, 0)
    yield "handle page faults", lambda: syscall(323, 282, 0)
    yield "use io_uring", lambda: syscall(425, 425, 8, text)
    yield "add a key", lambda: syscall(248, 217, b"user", b"cf", b"x", 1, -3)
    yield "ask for a key", lambda: syscall(249, 218, b"user", b"cf", None, 0)
    yield "join a keyring", lambda: syscall(250, 219, 1, None)
    yield "read the kernel's log", lambda: syscall(103, 116, 3, text, 4096)
    yield "take memory of no process", lambda: syscall(319, 279, b"cf", 0)
    yield "take secret memory", lambda: syscall(447, 447, 0)
    yield "share memory of no file", lambda: mmap.mmap(-1, 4096)
    yield "share memory by number", lambda: syscall(29, 194, 0, 4096, 0o1600)
    yield "make a message queue", lambda: syscall(68, 186, 0, 0o1600)
    yield "use up watches of files", lambda: call("inotify_init1", 0)
    yield "watch the whole disk", lambda: call("fanotify_init", 0, 0)
    yield "push a letter into a terminal", lambda: call("ioctl", 1, ctypes.c_ulong(0x5412), b"x")
    yield "change how it is executed", lambda: call("personality", ctypes.c_ulong(0x0040000))
    yield "use calls of 32 bits", old_calls
    yield "use calls that are newer than the filter", lambda: syscall(900, 900)


def allowed(file_path):
    def fill_scratch():
        with open("kept.txt", "w") as file:
            file.write("x")
        shutil.copy2("kept.txt", "copied.txt")
        os.rename("copied.txt", "moved.txt")
        os.symlink("moved.txt", "link.txt")

    def converse():
        one, other = socket.socketpair()
        one.sendall(b"x")
        other.recv(1)

    yield "read the input", lambda: open(file_path).read()
    yield "copy the input", lambda: shutil.copy(file_path, "copy.txt")
    yield "write scratch", fill_scratch
    yield "run Python again", lambda: subprocess.run([sys.executable, "-I", "-c", "import json"], check=True)
    yield "map memory", lambda: mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    yield "talk to itself", converse
    yield "be nice", lambda: os.nice(1)


def tried(attempts):
    for name, attempt in attempts:
        try:
            attempt()
            yield name, "reached"
        except OSError as error:
            yield name, type(error).__name__ if type(error) is not OSError else os.strerror(error.errno or 0)


class Handler:
    def execute(self, file_path):
        with open(file_path) as file:
            out = json.load(file)
        out["nodePid"] = int(out["nodePid"])
        told = {
            "descriptors": [fd for fd in range(3, 1024) if is_open(fd)],
            "reads": dict(tried(reads(out, file_path))),
            "sockets": dict(tried(sockets(out))),
            "writes": dict(tried(writes(out, file_path))),
            "processes": dict(tried(processes(out))),
            "kernel": dict(tried(kernel_calls())),
            "allowed": dict(tried(allowed(file_path))),
            "environment": dict(os.environ),
        }
        print(json.dumps(told))


def is_open(descriptor):
    try:
        os.fstat(descriptor)
        return True
    except OSError:
        return False
