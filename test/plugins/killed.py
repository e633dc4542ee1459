import os
import signal


class Handler:
    def execute(self, file_path):
        yield [{"a": 1}]
        os.kill(os.getpid(), signal.SIGKILL)
