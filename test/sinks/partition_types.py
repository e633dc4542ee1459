"""Every case of `arrow_types.py` with a number in `i` and two partitions in `k`, of which rows alternate.

`make FOLDER` writes FOLDER/<name>.arrows and prints the names. `compare FOLDER` prints in what FOLDER/partitioned/<name>, read as a
partitioned dataset and file by file, differs from FOLDER/plain/<name>, which the sink without partitions wrote.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from arrow_types import REFUSED, all_cases, values

HIVE = ds.partitioning(pa.schema([("cf_result", pa.string()), ("cf_attempt", pa.string()), ("k", pa.string())]), flavor="hive")


def cases():
    for name, table, expected in all_cases():
        if expected is REFUSED or name in ("no_rows", "names", "columns_500"):
            continue
        batches, row = [], 0
        for batch in table.to_batches():
            numbers = range(row, row + batch.num_rows)
            row += batch.num_rows
            columns = [pa.array(numbers, pa.int64()), pa.array([("x/", None)[n % 2] for n in numbers], pa.string()), *batch.columns]
            fields = [pa.field("i", pa.int64()), pa.field("k", pa.string()), *batch.schema]
            batches.append(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, metadata=batch.schema.metadata)))
        yield name, pa.Table.from_batches(batches)


def make(folder):
    names = []
    for name, table in cases():
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=name == "dictionary_delta")
        with pa.OSFile(str(folder / f"{name}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        names.append(name)
    print(json.dumps(names))


def compare(folder):
    differences = []
    for name, given in cases():
        (path,) = (folder / "plain" / name).glob("*.parquet")
        plain = pq.read_table(path)
        own = plain.drop_columns(["k"])
        files = sorted((folder / "partitioned" / name).rglob("*.parquet"))
        pieces = [pq.ParquetFile(file).read() for file in files]
        for piece in pieces:
            piece.validate(full=True)
            if not piece.schema.equals(own.schema, check_metadata=False):
                differences.append(f"{name}: the schema is {piece.schema}")
        if len(files) != min(2, given.num_rows):
            differences.append(f"{name}: there are {len(files)} files")
        order = lambda pieces: sorted(zip([n for p in pieces for n in p["i"].to_pylist()], rows(pieces)))
        if order(pieces) != order([own]):
            differences.append(f"{name}: the values differ: {order(pieces)} {order([own])}"[:400])
        read = ds.dataset(folder / "partitioned" / name, format="parquet", partitioning=HIVE).to_table(columns=["i", "k"])
        if sorted(zip(*read.to_pydict().values())) != sorted(zip(given["i"].to_pylist(), given["k"].to_pylist())):
            differences.append(f"{name}: the partitions differ")
    print(json.dumps(differences))


def rows(pieces):
    for piece in pieces:
        for row in range(piece.num_rows):
            yield repr([values(piece.column(column).slice(row, 1)) for column in range(piece.num_columns)])


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
