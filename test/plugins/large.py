"""Two million rows in parts, some 137 MB."""

import numpy as np
import pyarrow as pa

ROWS = 2_000_000
PART = 250_000


class Handler:
    def execute(self, file_path):
        names = pa.array([f"name {number % 1000:04}" for number in range(PART)])
        for start in range(0, ROWS, PART):
            ids = np.arange(start, start + PART)
            columns = {f"value_{number}": ids * (0.5 + number) for number in range(5)}
            yield pa.table({"id": ids, **columns, "name": names})
