import pandas as pd


class Handler:
    def execute(self, file_path):
        yield pd.DataFrame({"id": [1, 2], "price": [1, 2]})
        yield pd.DataFrame({"id": [3, 4], "price": [1.5, None]})
