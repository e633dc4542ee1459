"""Numbers of system calls by kind of machine, from asm/unistd_64.h and asm-generic/unistd.h."""

X86, ARM = "x86_64", "aarch64"

AUDIT_ARCHITECTURE = {X86: 0xC000003E, ARM: 0xC00000B7}

# No kernel that this list was made for has this number or a higher one (Linux 6.18).
FIRST_UNKNOWN = 470

# Numbers from 424 on are the same everywhere.
_SHARED_REFUSED = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "process_mrelease": 448,
    "statmount": 457, "listmount": 458, "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467, "file_setattr": 469,
}  # fmt: skip

# Answered with "Operation not permitted".
REFUSED = {
    X86: {
        "shmget": 29, "socket": 41, "connect": 42, "bind": 49, "listen": 50, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103,
        "uselib": 134, "personality": 135, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "adjtimex": 159, "chroot": 161,
        "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170,
        "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "clock_settime": 227,
        "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253, "migrate_pages": 256,
        "unshare": 272, "move_pages": 279, "inotify_init1": 294, "perf_event_open": 298, "fanotify_init": 300, "open_by_handle_at": 304,
        "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, **_SHARED_REFUSED,
    },
    ARM: {
        "inotify_init1": 26, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "vhangup": 58, "quotactl": 60, "acct": 89,
        "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116,
        "ptrace": 117, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "mq_open": 180,
        "msgget": 186, "semget": 190, "shmget": 194, "socket": 198, "bind": 200, "listen": 201, "connect": 203, "add_key": 217,
        "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241,
        "fanotify_init": 262, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
        "kexec_file_load": 294, **_SHARED_REFUSED,
    },
}  # fmt: skip

# Answered with "Operation not supported", which those who copy files expect of some file systems.
UNSUPPORTED = {
    X86: {"setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199},
    ARM: {"setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16},
}

# Answered as if they were done, and not done. Landlock does not guard a file's mode, owner and times, which whoever owns a file may change;
# the libraries that copy and unpack files change them, and fail if they can't.
PRETENDED = {
    X86: {
        "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132, "utimes": 235, "fchownat": 260, "futimesat": 261,
        "fchmodat": 268, "utimensat": 280, "fchmodat2": 452,
    },
    ARM: {"fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "utimensat": 88, "fchmodat2": 452},
}  # fmt: skip

# Looked at by their arguments.
CLONE, CLONE3, FCNTL, IOCTL, KILL, MMAP, PRCTL, SOCKETPAIR = (
    {X86: 56, ARM: 220},
    {X86: 435, ARM: 435},
    {X86: 72, ARM: 25},
    {X86: 16, ARM: 29},
    {X86: 62, ARM: 129},
    {X86: 9, ARM: 222},
    {X86: 157, ARM: 167},
    {X86: 53, ARM: 199},
)

# Those that name a process, by the argument that does: only the calling one, which is 0.
OF_A_PROCESS = {X86: {141: (0, 1), 251: (0, 1), 302: (0,)}, ARM: {140: (0, 1), 30: (0, 1), 261: (0,)}}
