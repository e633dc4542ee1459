"""Reads the demo's sources and results by other means than the product's, and prints what it finds as one JSON document.

Usage: python verify.py OUTPUT FOLDER... Files in the folders are counted by Python's csv module and hashed by hashlib, results in OUTPUT are
read by pyarrow.
"""

import csv
import hashlib
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq


def source(path: Path) -> dict:
    with path.open(newline="", encoding="utf-8") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    return {"rows": rows, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def result(path: Path) -> dict:
    table = pq.read_table(path)
    hashes = table.column("_cf_source_hash").unique().to_pylist() if table.num_rows else []
    return {
        "file": path.name,
        "topic": path.parent.name,
        "rows": table.num_rows,
        "columns": len(table.column_names),
        "source_hashes": hashes,
        "file_version_ids": [str(v) for v in table.column("_cf_file_version_id").unique().to_pylist()],
    }


def main() -> None:
    output, *folders = map(Path, sys.argv[1:])
    print(
        json.dumps(
            {
                "sources": {f"{folder.name}/{path.name}": source(path) for folder in folders for path in sorted(folder.glob("*.csv"))},
                "results": [result(path) for path in sorted(output.glob("*/*.parquet"))],
            }
        )
    )


if __name__ == "__main__":
    main()
