"""Airports, one row each: the short form of a plugin, with a manifest and a generator."""

import pandas as pd
import pyarrow as pa

MANIFEST = {
    "pattern": "airports*.csv",
    "topic": "airports",
}


class Handler:
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        yield pa.Table.from_pandas(df)
