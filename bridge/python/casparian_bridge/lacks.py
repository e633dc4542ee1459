"""What of the sandbox a machine's kernel does not give: what follows, and what an operator can do."""

import os
from typing import TypedDict

from .sandbox import Walls


class Lack(TypedDict):
    message: str
    remedy: str


def lacks_of(walls: Walls, hosts: list[str]) -> list[Lack]:
    found: list[Lack] = []

    def lack(message: str, remedy: str) -> None:
        found.append({"message": message, "remedy": remedy})

    if walls.landlock == 0:
        lack("no Landlock: a plugin can read every file that this user can, and write to them", _landlock_remedy())
    elif walls.landlock < 3:
        lack(f"Landlock version {walls.landlock} of 3: a plugin can empty files that this user can write", "Use Linux 6.2 or newer")
    if not walls.pid_namespace:
        signals = "" if walls.landlock >= 6 else " and can end them"
        lack(f"no process namespace: a plugin sees other processes{signals}, and what it forks is ended by search", _namespace_remedy())
    if not walls.network_namespace and not walls.seccomp:
        lack("neither a network namespace nor a system call filter: a plugin can reach the network", _namespace_remedy())
    elif not walls.network_namespace:
        lack("no network namespace: only the system call filter keeps a plugin from the network", _namespace_remedy())
    if not walls.seccomp:
        message = (
            "no system call filter: a plugin can connect to Unix sockets that are files, and change modes and times of this user's files"
        )
        lack(message, "Use a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64")
    if hosts and not walls.network_namespace:
        lack(f"no network namespace: {', '.join(hosts)} was granted, and can't be reached", _namespace_remedy())
    return found


def _landlock_remedy() -> str:
    remedy = "Use Linux 6.2 or newer with Landlock among its security modules (lsm=landlock,… on the kernel's command line)"
    return f"{remedy}; in a container its seccomp profile must allow the landlock_… calls" if _in_container() else remedy


def _namespace_remedy() -> str:
    settings = (
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        ("user/max_pid_namespaces", "0", "sysctl user.max_pid_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
    )
    told = [remedy for name, closed, remedy in settings if _setting(name) == closed]
    if told:
        return "Let users make namespaces: " + ", ".join(told)
    if _in_container():
        return "Start the container with a seccomp profile that allows unshare, setns and mount, or with --cap-add SYS_ADMIN"
    return "Let users make namespaces: a kernel with CONFIG_USER_NS, and no policy (seccomp, SELinux, AppArmor) that refuses unshare"


def _setting(name: str) -> str | None:
    try:
        with open(f"/proc/sys/{name}") as setting:
            return setting.read().strip()
    except OSError:
        return None


def _in_container() -> bool:
    return any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))
