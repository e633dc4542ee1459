import pandas as pd
import pyarrow as pa


class Handler:
    def execute(self, file_path):
        yield "orders", pd.DataFrame({"id": [1, 2]})
        yield "lines", pa.table({"order": [1, 1, 2], "text": ["a", "b", "c"]})
        yield [{"note": "no name"}]
        yield "orders", pd.DataFrame({"id": [3]})
        yield "nothing", pa.table({"x": pa.array([], pa.date32())})
