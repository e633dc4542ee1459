"""Starts what would go on after the job, under the name in its input file, and ends well."""

import atexit
import ctypes
import os
import signal
import threading
import time


def for_ever(name):
    ctypes.CDLL(None).prctl(15, name, 0, 0, 0)  # PR_SET_NAME
    for number in range(1, 65):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)


class Handler:
    def execute(self, file_path):
        with open(file_path, "rb") as file:
            name = file.read()
        ready, tell = os.pipe()
        for leave in (os.setsid, lambda: os.setpgid(0, 0), lambda: os.close(tell) or os.dup2(ready, 1)):
            if os.fork() == 0:
                leave()
                if os.fork() == 0:
                    for_ever(name)
                os._exit(0)
        threading.Thread(target=time.sleep, args=(600,)).start()
        atexit.register(time.sleep, 600)
        os.close(tell)
        print("done")
