"""Makes one Arrow stream for each type, and compares what pyarrow reads from the Parquet files that were made of them.

`make FOLDER` writes FOLDER/<name>.arrows and prints what is expected of each as JSON: "exact", the type that must come
back in the place of the one that was given, or "refused". `compare FOLDER` prints what differs in FOLDER/out/<name>.
"""

import datetime as dt
import json
import sys
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

LINEAGE = {
    "_cf_source_hash": (pa.string(), "a" * 64),
    "_cf_job_id": (pa.int64(), 9007199254740993),
    "_cf_file_version_id": (pa.int64(), 12),
    "_cf_processed_at": (pa.timestamp("us", "UTC"), dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.timezone.utc)),
    "_cf_plugin_version": (pa.string(), "trades@1.2.3"),
}

# pyarrow's own write_table changes these in the same way.
CONVERTED = {
    pa.date64(): pa.date32(),
    pa.time32("s"): pa.time32("ms"),
    **{pa.timestamp("s", z): pa.timestamp("ms", z) for z in (None, "UTC", "Europe/Berlin", "+05:30")},
}
EXACT, REFUSED = "exact", "refused"


def plain_cases():
    for bits in (8, 16, 32, 64):
        yield pa.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, None, 0], getattr(pa, f"int{bits}")())
        yield pa.array([0, 2**bits - 1, None, 1], getattr(pa, f"uint{bits}")())
    yield pa.array([np.float16(1.5), None, np.float16("nan"), np.float16("-inf")], pa.float16())
    yield pa.array([1.5, None, float("nan"), float("inf"), float("-inf"), -0.0, 1e-45], pa.float32())
    yield pa.array([1.5, None, float("nan"), float("inf"), float("-inf"), -0.0, 5e-324], pa.float64())
    yield pa.array([True, False, None])
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        yield pa.array(["", "a", None, "é€𝄞", "more than twelve bytes of text"], kind)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        yield pa.array([b"", b"a\x00\xff", None, b"\xff" * 40], kind)
    yield pa.array([b"abc", None, b"\x00\xff\x01"], pa.binary(3))
    yield pa.array([D("1.23"), None, D(-5)], pa.decimal32(9, 2))
    yield pa.array([D("123456789012345.678"), None, D("-0.001")], pa.decimal64(18, 3))
    yield pa.array([D("123.45"), None, D("-0.01")], pa.decimal128(5, 2))
    yield pa.array([D("123.45"), None, D("-0.01")], pa.decimal128(12, 2))
    yield pa.array([D("1" * 38), None, D("-" + "9" * 38)], pa.decimal128(38, 0))
    yield pa.array([D("1" * 28 + "." + "9" * 10), None], pa.decimal128(38, 10))
    yield pa.array([D("1.5"), None], pa.decimal256(10, 2))
    yield pa.array([D("-" + "9" * 40 + "." + "9" * 36), None, D(1)], pa.decimal256(76, 36))
    yield pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)])
    yield pa.array([0, None, 86400000 * 20000, -86400000], pa.date64())
    yield pa.array([0, None, 86399], pa.time32("s"))
    yield pa.array([0, None, 86399999], pa.time32("ms"))
    yield pa.array([0, None, 86399999999], pa.time64("us"))
    yield pa.array([0, None, 86399999999999], pa.time64("ns"))
    for unit in ("s", "ms", "us", "ns"):
        yield pa.array([0, None, -1, 123456], pa.duration(unit))
        for zone in (None, "UTC", "Europe/Berlin", "+05:30"):
            yield pa.array([0, None, -1, 1700000000], pa.timestamp(unit, zone))
    yield pa.array([-(2**63), 2**63 - 1, None], pa.int64()).view(pa.timestamp("us"))
    yield pa.nulls(3)
    yield pa.array([b"0" * 16, None], pa.uuid())
    yield pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8()))
    yield pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None]))
    yield pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.int32(), (2, 2)), pa.array([[1, 2, 3, 4]], pa.list_(pa.int32(), 4)))


def nested_cases():
    for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view):
        yield pa.array([[1, 2], None, [], [None]], make(pa.int32()))
        yield pa.array([["a", None, "x" * 50], None, []], make(pa.string_view()))
    yield pa.ListViewArray.from_arrays(pa.array([3, 0, 1], pa.int32()), pa.array([1, 2, 2], pa.int32()), pa.array([1, 2, 3, 4]))
    yield pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2))
    yield pa.array([[{"a": 1}, {"a": 2}], None], pa.list_(pa.struct([("a", pa.int8())]), 2))
    yield pa.array([[1]], pa.list_(pa.field("own_name", pa.int32(), nullable=False)))
    yield pa.array([[[1], []], None, [None]], pa.list_(pa.list_(pa.int8())))
    yield pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}], pa.struct([("a", pa.int64()), ("b", pa.string())]))
    yield pa.array([{"n": None, "a": 1}, None], pa.struct([("n", pa.null()), ("a", pa.int8())]))
    yield pa.StructArray.from_arrays([pa.array([1, 2]), pa.array(["a", "b"])], names=["a", "A"])
    yield pa.array([[None], None, []], pa.list_(pa.null()))
    yield pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.int64()))
    yield pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64(), keys_sorted=True))
    inner = pa.struct([("x", pa.list_(pa.string())), ("m", pa.map_(pa.string(), pa.list_(pa.float64())))])
    yield pa.array([[{"x": ["a", None], "m": [("k", [1.5])]}], None, []], pa.list_(inner))
    yield pa.array([{"d": dt.timedelta(seconds=2)}, None], pa.struct([("d", pa.duration("s"))]))


def dictionary_cases():
    """Dictionaries of strings and binaries stay; others come back as their values, as from pyarrow."""
    indices = pa.array([0, 1, None, 0], pa.int8())
    for kind in (pa.string(), pa.binary()):
        yield pa.DictionaryArray.from_arrays(indices, pa.array(["x", "yy"], kind)), EXACT
    yield pa.DictionaryArray.from_arrays(indices, pa.array(["x", "yy"]), ordered=True), EXACT
    yield pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int64()), pa.array(["x", "yy"])), EXACT
    yield pa.DictionaryArray.from_arrays(indices, pa.array(["x", "x", "unused"])), EXACT
    yield pa.DictionaryArray.from_arrays(indices, pa.array(["x", None])), EXACT
    large = pa.DictionaryArray.from_arrays(indices, pa.array(["x", "yy"], pa.large_string()))
    yield large, pa.dictionary(pa.int8(), pa.string())
    values = [
        *(pa.array([1, 2], t) for t in (pa.int8(), pa.int64(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64())),
        pa.array([True, False]),
        pa.array([D("1.5"), D("2.5")], pa.decimal128(38, 1)),
        pa.array([D("1.5"), D("2.5")], pa.decimal32(5, 1)),
        pa.array([D("1.5"), D("2.5")], pa.decimal256(50, 1)),
        *(pa.array([1, 2], t) for t in (pa.date32(), pa.time32("ms"), pa.time64("ns"), pa.timestamp("us", "UTC"), pa.duration("s"))),
        pa.array([1, 2], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([86400000, 0], pa.date64()),
        pa.array([1, 2], pa.time32("s")),
        pa.array([1, 2], pa.timestamp("s", "UTC")),
    ]
    for v in values:
        yield pa.DictionaryArray.from_arrays(indices, v), CONVERTED.get(v.type, v.type)
    yield pa.ListArray.from_arrays([0, 2, 2, 3], pa.array(["a", "b", "a"]).dictionary_encode()), EXACT
    yield pa.StructArray.from_arrays([pa.array(["a", "b", "a"]).dictionary_encode()], names=["d"]), EXACT
    whole = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array([1, 2], pa.timestamp("s")))
    yield pa.ListArray.from_arrays([0, 2, 3], whole), pa.list_(pa.timestamp("ms"))


def converted_cases():
    yield pa.array([[1, None], None], pa.list_(pa.timestamp("s"))), pa.list_(pa.timestamp("ms"))
    given = pa.struct([("v", pa.string_view()), ("t", pa.timestamp("s", "UTC")), ("d", pa.date64())])
    kept = pa.struct([("v", pa.string_view()), ("t", pa.timestamp("ms", "UTC")), ("d", pa.date32())])
    row = {"v": "x" * 50, "t": dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), "d": dt.date(2020, 1, 2)}
    yield pa.array([row, None, {"v": None, "t": None, "d": None}], given), kept
    given = pa.map_(pa.timestamp("s"), pa.time32("s"))
    yield pa.array([[(dt.datetime(2020, 1, 1), dt.time(1, 2, 3))], None], given), pa.map_(pa.timestamp("ms"), pa.time32("ms"))
    # What lies under a null is no value, so it can't be too large for its new unit.
    yield pa.Array.from_buffers(pa.timestamp("s"), 2, [pa.py_buffer(b"\x02"), pa.array([2**62, 5]).buffers()[1]]), pa.timestamp("ms")


def refused_cases():
    yield pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
    yield pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], pa.int32()), pa.array(["a", "b"]))
    yield pa.UnionArray.from_dense(pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["a"])])
    yield pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    yield pa.array([b"", None], pa.binary(0))
    yield pa.array([{}, None], pa.struct([]))
    yield pa.array([D(12300), None], pa.decimal128(5, -2))
    for values in (pa.array(["a"], pa.string_view()), pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"ab"], pa.binary(2))):
        yield pa.DictionaryArray.from_arrays(pa.array([0]), values)
    yield pa.array([[{"i": (1, 2, 3)}]], pa.list_(pa.struct([("i", pa.month_day_nano_interval())])))


def table_cases():
    yield (
        "no_rows",
        pa.table(
            {"a": pa.array([], pa.int64()), "d": pa.array([], pa.string()).dictionary_encode(), "l": pa.array([], pa.list_(pa.int8()))}
        ),
    )
    yield "large_values", pa.table({"a": ["x" * 1_000_000, "", None, "y" * 1_000_000]})
    yield "names", pa.Table.from_arrays([pa.array([i]) for i in range(6)], names=["a", "A", "", "a.b", 'é€𝄞 "q"\n', "_cf_other"])
    yield "columns_500", pa.table({f"c{i}": pa.array([i, None, i]) if i % 2 else pa.array([str(i), None, ""]) for i in range(500)})
    yield "pandas", pa.Table.from_pandas(pd.DataFrame({"a": [1, 2], "c": pd.to_datetime(["2024-01-01", None])}, index=["i", "j"]))
    item = pa.field("item", pa.int32(), nullable=False)
    fields = [pa.field("a", pa.int64(), nullable=False), pa.field("l", pa.list_(item), nullable=False)]
    yield "never_null", pa.Table.from_arrays([pa.array([1, 2]), pa.array([[1], []], pa.list_(item))], schema=pa.schema(fields))
    field_id = pa.field("a", pa.int64(), metadata={"PARQUET:field_id": "7", "own": "é"})
    yield "field_metadata", pa.Table.from_arrays([pa.array([1])], schema=pa.schema([field_id]))
    yield "bytes_in_metadata", pa.table({"a": [1]}).replace_schema_metadata({b"\xff\xfe": b"\xff\x00", b"k": b""})
    sliced = pa.table(
        {"s": ["a", None, "dd"] * 9, "b": [True, None, False] * 9, "l": [[1], None, [2, 3]] * 9, "t": [{"a": i} for i in range(27)]}
    )
    yield "sliced", sliced.slice(5, 17)
    a, b = pa.array(["a", "b", None]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()
    yield "dictionary_replaced", pa.table({"c": pa.chunked_array([a, b, a])})
    longer = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array(["a", "b", "zz"]))
    yield "dictionary_delta", pa.table({"c": pa.chunked_array([a, longer])})


def all_cases():
    index = 0
    groups = [
        ((array, CONVERTED.get(array.type, EXACT)) for array in plain_cases()),
        ((array, EXACT) for array in nested_cases()),
        dictionary_cases(),
        converted_cases(),
        ((array, REFUSED) for array in refused_cases()),
    ]
    for group in groups:
        for array, expected in group:
            index += 1
            field = pa.field("c", array.type, metadata={"field": "metadata"})
            schema = pa.schema([field], metadata={"schema": "metadata"})
            # Several batches, one of them a slice and one empty.
            parts = [array, array.slice(1), array.slice(0, 0)] if expected is not REFUSED else [array]
            table = pa.Table.from_batches([pa.RecordBatch.from_arrays([part], schema=schema) for part in parts], schema)
            yield f"case_{index:03}", table, expected
    for name, table in table_cases():
        yield name, table, EXACT


def write_stream(folder, name, table):
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=name == "dictionary_delta")
    with pa.OSFile(str(folder / f"{name}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def make(folder):
    listing = []
    for name, table, expected in all_cases():
        write_stream(folder, name, table)
        listing.append({"name": name, "type": str(table.schema.field(0).type), "expected": str(expected), "rows": table.num_rows})
    print(json.dumps(listing))


def compare(folder):
    differences = []
    for name, given, expected in all_cases():
        if expected is REFUSED:
            continue
        for problem in compare_one(folder / "out" / name, given, expected):
            differences.append(f"{name} ({given.schema.field(0).type}): {problem}")
    print(json.dumps(differences))


def compare_one(folder, given, expected):
    (path,) = folder.glob("*.parquet")
    read = pq.read_table(path)
    read.validate(full=True)
    if read.column_names[-len(LINEAGE) :] != list(LINEAGE):
        yield f"the last columns are {read.column_names[-len(LINEAGE) :]}"
    for name, (kind, value) in LINEAGE.items():
        if read.schema.field(name) != pa.field(name, kind, nullable=False):
            yield f"{name} is {read.schema.field(name)}"
        if read.column(name).unique().to_pylist() != [value] * min(1, given.num_rows):
            yield f"{name} holds {read.column(name).unique().to_pylist()}"
    found = read.drop_columns(list(LINEAGE))
    if found.column_names != given.column_names:
        yield f"the columns are named {found.column_names}"
    if found.schema.metadata != given.schema.metadata:
        yield f"the metadata is {found.schema.metadata}"
    for index, field in enumerate(given.schema):
        wanted = field.type if expected is EXACT else expected
        got = found.schema.field(index)
        if got.type != wanted or got.nullable != field.nullable or got.metadata != field.metadata:
            yield f"column {index} is {got} with {got.metadata}"
        if values(found.column(index)) != values(given.column(index)):
            yield f"column {index} holds {values(found.column(index))[:200]}"


def values(column):
    # As text, in which NaN equals itself; as numbers where Python's dates end.
    try:
        return repr(column.to_pylist())
    except (ValueError, OverflowError):
        return repr(column.cast(pa.int64()).to_pylist())


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
