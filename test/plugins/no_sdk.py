import pandas as pd
import pyarrow as pa

MANIFEST = {
    "pattern": "*.csv",
    "topic": "output",
}

class Handler:
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        yield pa.Table.from_pandas(df)
