import contextlib
import signal
import time


class Handler:
    def execute(self, file_path):
        # Neither a polite signal nor an exception ends it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(3600)
