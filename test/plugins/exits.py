import sys


class Handler:
    def execute(self, file_path):
        yield [{"a": 1}]
        sys.exit(3)
