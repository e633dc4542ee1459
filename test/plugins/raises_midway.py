import pandas as pd


def divide(number):
    return number / 0


class Handler:
    def execute(self, file_path):
        yield pd.DataFrame({"a": [1, 2, 3]})
        yield pd.DataFrame({"a": [divide(4)]})
