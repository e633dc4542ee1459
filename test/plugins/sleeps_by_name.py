"""Sleeps under the name in the input file, by which the system then knows it, and so does a process that it has started."""

import ctypes
import os
import time


class Handler:
    def execute(self, file_path):
        with open(file_path, "rb") as file:
            name = file.read()
        os.fork()
        ctypes.CDLL(None).prctl(15, name, 0, 0, 0)  # PR_SET_NAME
        time.sleep(600)
