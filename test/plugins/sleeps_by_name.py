"""Sleeps under a name by which the system knows it, and so does a process that it has started."""

import ctypes
import os
import time

NAME = b"cf-sleeper"


class Handler:
    def execute(self, file_path):
        os.fork()
        ctypes.CDLL(None).prctl(15, NAME, 0, 0, 0)  # PR_SET_NAME
        time.sleep(600)
