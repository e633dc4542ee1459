"""What DuckDB must hold of the streams that `arrow_types.py` and `postgres_types.py` make, worked out here from pyarrow's own values.

`make FOLDER` writes those streams and some more, and prints for each what is expected: "kept", or the code and a part of the message of the
refusal. `compare FOLDER` reads FOLDER/out/<name>.duckdb with Python's own DuckDB and prints what differs.
"""

import json
import sys
from pathlib import Path

import arrow_types
import duckdb
import postgres_types
import pyarrow as pa
import pyarrow.types as is_

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST, LAST = -9223372022400000000, 2**63 - 2


class Refused(Exception):
    pass


def list_of(kind):
    return any(test(kind) for test in (is_.is_list, is_.is_large_list, is_.is_list_view, is_.is_large_list_view))


def sql_type(kind):
    if is_.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.UuidType):
        return "UUID"
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if list_of(kind):
        return sql_type(kind.value_type) + "[]"
    if is_.is_fixed_size_list(kind):
        return f"{sql_type(kind.value_type)}[{kind.list_size if kind.list_size <= 4096 else ''}]"
    if is_.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    if is_.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        if not names:
            raise Refused("SINK_TYPE", "a STRUCT has at least one field")
        if len({name.lower() for name in names}) < len(names):
            raise Refused("SINK_TYPE", "have one name")
        return "STRUCT(" + ", ".join(f"{quoted(n)} {sql_type(kind.field(i).type)}" for i, n in enumerate(names)) + ")"
    if is_.is_union(kind) or is_.is_run_end_encoded(kind):
        raise Refused("SINK_TYPE", "which DuckDB can't keep")
    if is_.is_decimal(kind):
        digits = kind.precision - min(kind.scale, 0)
        if digits > 38:
            raise Refused("SINK_TYPE", "38 digits at most")
        return f"DECIMAL({digits},{max(kind.scale, 0)})"
    if is_.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}[kind.unit]
    for test, name in PLAIN:
        if test(kind):
            return name
    raise AssertionError(kind)


PLAIN = [
    (is_.is_null, "VARCHAR"),
    (is_.is_boolean, "BOOLEAN"),
    *((lambda t, a=a: t == a, s) for a, s in [(pa.int8(), "TINYINT"), (pa.int16(), "SMALLINT"), (pa.int32(), "INTEGER"), (pa.int64(), "BIGINT")]),
    *((lambda t, a=a: t == a, s) for a, s in [(pa.uint8(), "UTINYINT"), (pa.uint16(), "USMALLINT"), (pa.uint32(), "UINTEGER"), (pa.uint64(), "UBIGINT")]),
    (lambda t: t in (pa.float16(), pa.float32()), "FLOAT"),
    (is_.is_float64, "DOUBLE"),
    (is_.is_date, "DATE"),
    (lambda t: t == pa.time64("ns"), "TIME_NS"),
    (is_.is_time, "TIME"),
    (lambda t: is_.is_duration(t) or is_.is_interval(t), "INTERVAL"),
    (lambda t: is_.is_string(t) or is_.is_large_string(t) or is_.is_string_view(t), "VARCHAR"),
    (lambda t: is_.is_binary(t) or is_.is_large_binary(t) or is_.is_binary_view(t) or is_.is_fixed_size_binary(t), "BLOB"),
]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def given(scalar):
    """A value in a form that is the same for what was given and for what DuckDB exports to Arrow."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if is_.is_dictionary(kind):
        return given(scalar.value)
    if isinstance(kind, pa.UuidType):
        return str(scalar.as_py())
    if isinstance(kind, pa.BaseExtensionType):
        return given(scalar.value)
    if is_.is_struct(kind):
        return [[kind.field(i).name, given(scalar[i])] for i in range(kind.num_fields)]
    if is_.is_map(kind):
        pairs = [[given(value) for value in entry.values()] for entry in scalar.values]
        if len({repr(key) for key, _ in pairs}) < len(pairs):
            raise Refused("SINK_VALUE", "a key twice")
        return pairs
    if is_.is_nested(kind):
        return [given(value) for value in scalar.values]
    if is_.is_timestamp(kind):
        return instant(kind, scalar.value)
    if is_.is_date(kind):
        return scalar.value if is_.is_date32(kind) else scalar.value // 86400000
    if is_.is_time(kind):
        return scalar.value * (10**9 // PER_SECOND[kind.unit])
    if is_.is_duration(kind):
        return [0, 0, micros(kind.unit, scalar.value)]
    if is_.is_interval(kind):
        months, days, nanos = scalar.as_py()
        return [months, days, micros("ns", nanos)]
    return plain(scalar.as_py())


def instant(kind, value):
    nanos = value * (10**9 // PER_SECOND[kind.unit])
    if kind.tz and nanos % 1000:
        raise Refused("SINK_VALUE", "it has nanoseconds")
    first = -106751 * 86400 * 10**9 if kind.unit == "ns" and not kind.tz else FIRST * 1000
    last = LAST if kind.unit == "ns" and not kind.tz else LAST * 1000
    if not first <= nanos <= last:
        raise Refused("SINK_VALUE", "in DuckDB lies between" if kind.unit != "ns" else "lies between")
    return nanos


def micros(unit, value):
    count, rest = divmod(value * 10**6, PER_SECOND[unit])
    if rest:
        raise Refused("SINK_VALUE", "it has nanoseconds")
    if not -(2**63) <= count < 2**63:
        raise Refused("SINK_VALUE", "it is more than DuckDB can count")
    return count


def plain(value):
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return value.hex()
    return f"{value:f}" if type(value).__name__ == "Decimal" else float_of(value)


def float_of(value):
    return repr(float(value)) if type(value).__name__ == "float16" else value


def more_cases():
    yield "map_twice", pa.table({"c": pa.array([[("a", 1)], [("b", 1), ("c", 2), ("b", 3)]], pa.map_(pa.string(), pa.int64()))})
    yield "map_of_lists", pa.table({"c": pa.array([[([1], "x"), ([2], None)], []], pa.map_(pa.list_(pa.int8()), pa.string()))})
    yield "columns_2000", pa.table({f"c{i}": pa.array([i, None] if i % 3 else [str(i), None]) for i in range(2000)})
    names = ["select", "Group", "a.b", 'é€𝄞 "q"\n', "É€", "rowid", "_cf_other", "x" * 200, "it's", "user"]
    yield "names_kept", pa.Table.from_arrays([pa.array([i]) for i in range(len(names))], names=names)
    yield "names_case", pa.table({"a price": [1], "b": [2], "A PRICE": [3]})
    yield "long", pa.table({"c": pa.array([None if i % 7 == 0 else "é" * (i % 40) for i in range(10_000)])})
    yield "zero_bytes", pa.table({"c": pa.array(["a\0b", "\0", "\0" * 20])})
    lists = [None if i % 5 == 0 else [None if j % 3 == 0 else "x" * j for j in range(i % 17)] for i in range(5_000)]
    yield "lists", pa.table({"c": pa.array(lists), "s": pa.array([None if v is None else {"l": v, "n": len(v)} for v in lists])})
    yield "array_large", pa.table({"c": pa.array([[float(i) for i in range(4096)], None], pa.list_(pa.float32(), 4096))})
    yield "array_larger", pa.table({"c": pa.array([[float(i) for i in range(4097)], None], pa.list_(pa.float32(), 4097))})
    yield "array_nested", pa.table({"c": pa.array([[["a", None], None], None], pa.list_(pa.list_(pa.string(), 2), 2))})
    yield "time_beyond", pa.table({"c": pa.array([0, 86400], pa.int32()).view(pa.time32("s"))})
    yield "date_last", pa.table({"c": pa.array([2**31 - 2, -(2**31) + 2], pa.int32()).view(pa.date32())})
    yield "date_infinity", pa.table({"c": pa.array([2**31 - 1], pa.int32()).view(pa.date32())})
    yield "date64_rest", pa.table({"c": pa.array([86400000, 1], pa.int64()).view(pa.date64())})
    yield "timestamp_ends", pa.table({"c": pa.array([FIRST, LAST], pa.int64()).view(pa.timestamp("us"))})
    yield "timestamp_s_ends", pa.table({"c": pa.array([FIRST // 10**6, LAST // 10**6], pa.int64()).view(pa.timestamp("s"))})
    yield "timestamp_ns_first", pa.table({"c": pa.array([-106751 * 86400 * 10**9, LAST], pa.int64()).view(pa.timestamp("ns"))})
    yield "timestamp_ns_before", pa.table({"c": pa.array([-106751 * 86400 * 10**9 - 1], pa.int64()).view(pa.timestamp("ns"))})
    bad = pa.Array.from_buffers(pa.string(), 2, [None, pa.array([0, 1, 3], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff\xfe")])
    yield "not_utf8", pa.table({"c": bad})


EXPECTED = {
    "time_beyond": ("SINK_VALUE", "row 2 of column \"c\" (time32[s]) can't be kept in DuckDB: it is no time of a day"),
    "date_infinity": ("SINK_VALUE", "a DATE lies between"),
    "date64_rest": ("SINK_VALUE", "it is no whole day"),
    "not_utf8": ("SINK_VALUE", "row 2 of column \"c\" (string) can't be kept in DuckDB: it is not UTF-8"),
    "names": ("SINK_COLUMNS", "column 3 has an empty name"),
    "names_case": ("SINK_COLUMNS", 'the columns "a price" and "A PRICE" differ only by case'),
}


# DuckDB has no place for metadata, and more columns are tried here.
NOT_HERE = ("pandas", "field_metadata", "bytes_in_metadata", "columns_500")


def all_cases():
    """What is kept and has batches of the same lengths is one table, because each file takes its time."""
    singles = [(name, table) for name, table, _ in arrow_types.all_cases() if name not in NOT_HERE]
    singles += [(f"more_{name}", pa.table({"c": array})) for name, array in postgres_types.more_cases()]
    singles += more_cases()
    groups = {}
    for name, table in singles:
        if table.column_names != ["c"] or name.startswith("dictionary") or "refused" in expect(name, table):
            yield name, table
        else:
            groups.setdefault(tuple(map(len, table.column(0).chunks)), []).append((name, table))
    for index, (lengths, group) in enumerate(groups.items()):
        schema = pa.schema([table.schema.field(0).with_name(name) for name, table in group])
        batches = [pa.RecordBatch.from_arrays([table.column(0).chunk(i) for _, table in group], schema=schema) for i in range(len(lengths))]
        yield f"group_{index}", pa.Table.from_batches(batches, schema)


def expect(name, table):
    if name in EXPECTED:
        return dict(zip(("refused", "message"), EXPECTED[name]))
    try:
        for column in table.columns:
            sql_type(column.type)
        for column in table.columns:
            values(column)
        return {}
    except Refused as refused:
        return dict(zip(("refused", "message"), refused.args))


def values(column):
    return [given(scalar) for scalar in column]


def make(folder):
    listing = []
    for name, table in all_cases():
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=name == "dictionary_delta")
        with pa.OSFile(str(folder / f"{name}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        listing.append({"name": name, "rows": table.num_rows, **expect(name, table)})
    text = json.dumps(listing)
    (folder / "listing.json").write_text(text)
    print(text)


def compare(folder):
    kept = {case["name"] for case in json.loads((folder / "listing.json").read_text()) if "refused" not in case}
    print(json.dumps([f"{name}: {problem}" for name, table in all_cases() if name in kept for problem in differences(folder, name, table)]))


def differences(folder, name, table):
    with duckdb.connect(str(folder / "out" / f"{name}.duckdb"), read_only=True) as connection:
        described = connection.execute("select column_name, column_type, \"null\" from (describe main.t)").fetchall()
        wanted = [(n, connection.execute(f"select typeof(null::{sql_type(f.type)})").fetchone()[0], "YES") for n, f in zip(table.column_names, table.schema)]
        lineage = [(n, k, "NO") for n, k in zip(arrow_types.LINEAGE, ["VARCHAR", "BIGINT", "BIGINT", "TIMESTAMP WITH TIME ZONE", "VARCHAR"])]
        if described != wanted + lineage:
            yield f"the columns are {[pair for pair in zip(described, wanted + lineage) if pair[0] != pair[1]][:3]}"
            return
        comments = connection.execute("select comment from duckdb_columns() where table_name = 't' order by column_index").fetchall()
        if [comment for (comment,) in comments] != [comment_of(field.type) for field in table.schema] + [None] * 5:
            yield f"the comments are {comments[:5]}"
        exported = connection.execute("select * from t").to_arrow_table()
        for index, (column, kind, _) in enumerate(wanted):
            read = intervals(connection, column) if kind == "INTERVAL" else values(exported.column(index))
            written = values(table.column(index))
            if read != written:
                yield f"{column} ({kind}) holds {repr(read)[:200]} instead of {repr(written)[:200]}"
        stamps = connection.execute("select distinct _cf_source_hash, _cf_job_id, _cf_file_version_id, epoch_us(_cf_processed_at), _cf_plugin_version from t").fetchall()
        if stamps != [("a" * 64, 9007199254740993, 12, 1767323045678000, "trades@1.2.3")] * min(1, table.num_rows):
            yield f"the lineage is {stamps}"


def comment_of(kind):
    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    larger = is_.is_fixed_size_list(kind) and kind.list_size > 4096
    is_told = not (larger or is_.is_duration(kind) or is_.is_fixed_size_binary(kind) or (is_.is_timestamp(kind) and kind.tz not in (None, "UTC")))
    return None if is_told else f"Arrow type {kind}"


def intervals(connection, column):
    """In parts, because Arrow has fewer hours."""
    name = quoted(column)
    time = f"(datepart('hour', {name})::hugeint * 60 + datepart('minute', {name})) * 60000000 + datepart('microsecond', {name})"
    parts = f"[datepart('year', {name}) * 12 + datepart('month', {name}), datepart('day', {name}), {time}]"
    return [row[0] and list(row[0]) for row in connection.execute(f"select case when {name} is not null then {parts} end from t").fetchall()]


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
