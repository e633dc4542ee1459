"""Each of its processes stays below a limit that holds for one."""

import mmap
import os
import time


class Handler:
    def execute(self, file_path):
        for _ in range(8):
            shared = mmap.mmap(-1, 32 * 1024 * 1024)
            shared.write(b"x" * len(shared))
            if os.fork() == 0:
                own = bytearray(b"y" * (32 * 1024 * 1024))
                time.sleep(600)
                os._exit(len(own) & 1)
        time.sleep(600)
