"""Compares streams from which rows were taken with what pyarrow itself takes.

`make FOLDER` writes FOLDER/<name>.arrows of every type and prints the names as JSON; `compare FOLDER` prints what differs in
FOLDER/<name>.<remainder>.kept and .rest, where row n of the stream was set aside if n % 3 == remainder."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent / "sinks"))
from arrow_types import all_cases, write_stream  # noqa: E402


def cases():
    for name, table, _ in all_cases():
        yield name, table
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 5, 6, 9], pa.int16()), pa.array(["a", None, "c", "d"]))
    yield "runs", pa.table({"c": runs})
    yield "runs_64", pa.table({"c": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int64()), pa.array([1, 2]))})
    kinds, offsets = pa.array([0, 1, 0, 1, 1], pa.int8()), pa.array([0, 0, 1, 1, 2], pa.int32())
    yield "dense", pa.table({"c": pa.UnionArray.from_dense(kinds, offsets, [pa.array([1, 2]), pa.array(["a", "b", None])])})
    yield "sparse", pa.table({"c": pa.UnionArray.from_sparse(kinds, [pa.array(range(5)), pa.array(list("abcde"))])})
    yield "many", pa.table({"n": range(1000), "s": [None if i % 7 == 0 else "x" * (i % 50) for i in range(1000)]})
    yield "long_lists", pa.table({"l": pa.array([list(range(i % 5)) for i in range(100)], pa.large_list(pa.int16()))})


def make(folder):
    names = []
    for name, table in cases():
        write_stream(folder, name, table)
        names.append(name)
    print(json.dumps(names))


def compare(folder):
    differences, compared = [], 0
    for name, table in cases():
        for remainder in range(3):
            numbers = np.arange(table.num_rows)
            for kind, rows in (("kept", numbers[numbers % 3 != remainder]), ("rest", numbers[numbers % 3 == remainder])):
                found = pa.ipc.open_stream(folder / f"{name}.{remainder}.{kind}").read_all()
                found.validate(full=True)
                compared += 1
                if not found.schema.equals(table.schema, check_metadata=True):
                    differences.append(f"{name}: {found.schema}")
                # As text, in which NaN equals itself.
                given = [texts(column) for column in table.columns]
                if [texts(column) for column in found.columns] != [[column[row] for row in rows] for column in given]:
                    differences.append(f"{name} {remainder} {kind}: {found.to_pydict()}"[:300])
    print(json.dumps({"differences": differences, "compared": compared}))


def texts(column):
    def text(value):
        try:
            return repr(value.as_py())
        except (ValueError, OverflowError):
            return repr(value.value)

    return [text(value) for value in column]


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
