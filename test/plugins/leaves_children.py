"""Starts a daemon as daemons are started, and ends well."""

import ctypes
import os
import time

NAME = b"cf-left-behind"


class Handler:
    def execute(self, file_path):
        ready, tell = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(15, NAME, 0, 0, 0)  # PR_SET_NAME
                os.write(tell, b"!")
                time.sleep(600)
            os._exit(0)
        os.read(ready, 1)
        yield [{"a": 1}]
