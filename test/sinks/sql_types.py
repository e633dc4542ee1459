"""What sinks of tables are expected to keep is worked out with these: pyarrow's values as they are stored, and nested ones as JSON."""

import datetime as dt
import json
from decimal import Decimal as D

import arrow_types
import pyarrow as pa
import pyarrow.types as is_

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Refused(Exception):
    def __init__(self, code, part):
        self.expected = {"refused": code, "message": part}


def is_list(kind):
    return any(
        test(kind) for test in (is_.is_list, is_.is_large_list, is_.is_fixed_size_list, is_.is_list_view, is_.is_large_list_view)
    )


def check_json(kind, refused):
    """Raises what is given where JSON has no such type."""
    if is_.is_interval(kind) or is_.is_union(kind):
        raise refused
    for index in range(kind.num_fields):
        check_json(kind.field(index).type, refused)


def decoded(array):
    places = array.indices.to_pylist()
    return pa.concat_arrays([array.dictionary.slice(p, 1) if p is not None else pa.nulls(1, array.type.value_type) for p in places])


def raw(array):
    kind = array.type
    if is_.is_timestamp(kind) or is_.is_duration(kind) or kind in (pa.date64(), pa.time64("us"), pa.time64("ns")):
        return array.view(pa.int64()).to_pylist()
    if is_.is_date32(kind) or is_.is_time32(kind):
        return array.view(pa.int32()).to_pylist()
    return array.to_pylist()


def jsonable(kind, value):
    """As `arrow/text.ts` has nested values in JSON."""
    if value is None:
        return None
    if is_.is_dictionary(kind):
        return jsonable(kind.value_type, value)
    if is_list(kind):
        return [jsonable(kind.value_type, item) for item in value]
    if is_.is_struct(kind):
        return {kind.field(i).name: jsonable(kind.field(i).type, value[kind.field(i).name]) for i in range(kind.num_fields)}
    if is_.is_map(kind):
        return [{"key": jsonable(kind.key_type, k), "value": jsonable(kind.item_type, v)} for k, v in value]
    if is_.is_timestamp(kind):
        return value.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if kind.tz else "")
    if kind == pa.date64():
        return value.strftime("%Y-%m-%dT00:00:00.000")
    if is_.is_time(kind):
        return value.strftime("%H:%M:%S")
    if is_.is_duration(kind):
        return f"PT{int(value.total_seconds())}S"
    return value


def make(folder, cases, expect):
    """Writes a stream for each case and prints what is expected of it."""
    listing = []
    for name, table in cases:
        arrow_types.write_stream(folder, name, table)
        listing.append({"name": name, "type": str(table.schema.field(0).type), "names": table.column_names, **expect(name, table)})
    print(json.dumps(listing, default=as_text))


def expected_of(table, check_names, sql_type, texts):
    """The types of a table's columns and its values, or how it is refused."""
    try:
        check_names(table.column_names)
        types = [sql_type(field) for field in table.schema]
        columns = [[v for chunk in column.chunks for v in texts(chunk)] for column in table.columns]
        return {"types": types, "columns": columns}
    except Refused as refused:
        return refused.expected


def as_text(value):
    if isinstance(value, (D, dt.date)):
        return str(value)
    raise TypeError(value)
