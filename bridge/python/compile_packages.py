"""Compiles what lies below a folder, on all cores: `python -I -S compile_packages.py FOLDER`.

Runs in a process group of its own, and ends with all of it as soon as standard input does: compileall's helpers would otherwise wait for
ever for a program that was killed.
"""

import compileall
import os
import re
import signal
import sys
import threading


def end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    folder = sys.argv[1]
    # Without the packages' own tests it takes half the time; what can't be compiled is left as it is. The folder itself may lie below tests.
    tests = re.compile(re.escape(folder) + "/(.*/)?tests?/")
    compileall.compile_dir(folder, quiet=2, workers=0, rx=tests)
