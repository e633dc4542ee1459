"""What Postgres must hold of the streams that `arrow_types.py` makes, worked out here from pyarrow's own values.

`make FOLDER` writes those streams and some more, and prints for each what is expected: the columns' SQL types and their values as the texts
that `postgres-types.test.ts` reads through SQL, or the code and a part of the message of the refusal.
"""

import random
import sys
from decimal import Decimal as D
from pathlib import Path

import arrow_types
import numpy as np
import pyarrow as pa
import pyarrow.types as is_
from sql_types import PER_SECOND, Refused, check_json, decoded, expected_of, is_list, jsonable, make, raw

MICROS_2000 = 946684800 * 10**6


def no_type():
    return Refused("SINK_TYPE", "which Postgres can't keep")


def sql_type(field):
    kind = field.type.value_type if is_.is_dictionary(field.type) else field.type
    if isinstance(kind, pa.UuidType):
        return "uuid"
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if is_list(kind):
        if is_nested(kind.value_type):
            check_json(kind, no_type())
            return "jsonb"
        return sql_type(kind.value_field) + "[]"
    if is_.is_struct(kind) or is_.is_map(kind):
        check_json(kind, no_type())
        return "jsonb"
    if is_.is_union(kind) or is_.is_run_end_encoded(kind):
        raise no_type()
    if is_.is_decimal(kind):
        scale, precision = kind.scale, kind.precision
        return f"numeric({precision - scale if scale < 0 else precision},{max(scale, 0)})"
    if is_.is_timestamp(kind):
        return f"timestamp with{'out' if kind.tz is None else ''} time zone"
    for test, name in PLAIN:
        if test(kind):
            return name
    raise AssertionError(kind)


PLAIN = [
    (is_.is_null, "text"),
    (is_.is_boolean, "boolean"),
    (lambda t: t in (pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    (lambda t: t in (pa.int32(), pa.uint16()), "integer"),
    (lambda t: t in (pa.int64(), pa.uint32()), "bigint"),
    (lambda t: t == pa.uint64(), "numeric(20,0)"),
    (lambda t: t in (pa.float16(), pa.float32()), "real"),
    (lambda t: t == pa.float64(), "double precision"),
    (is_.is_date, "date"),
    (is_.is_time, "time without time zone"),
    (is_.is_duration, "interval"),
    (is_.is_interval, "interval"),
    (lambda t: is_.is_string(t) or is_.is_large_string(t) or is_.is_string_view(t), "text"),
    (lambda t: is_.is_binary(t) or is_.is_large_binary(t) or is_.is_binary_view(t) or is_.is_fixed_size_binary(t), "bytea"),
]


def is_nested(kind):
    kind = kind.value_type if is_.is_dictionary(kind) else kind
    return is_list(kind) or is_.is_struct(kind) or is_.is_map(kind)


def texts(array):
    """The values of an array as texts, in the forms that the test's SQL gives them."""
    kind = array.type
    if len(array) == 0:
        return []
    if is_.is_dictionary(kind):
        return texts(decoded(array))
    if isinstance(kind, pa.UuidType):
        return [None if v is None else str(v) for v in array.to_pylist()]
    if isinstance(kind, pa.BaseExtensionType):
        return texts(array.storage)
    if is_list(kind) and (is_.is_decimal(kind.value_type) or kind.value_type == pa.uint64()):
        return [None if v is None else "{" + ",".join("NULL" if i is None else str(i) for i in v) + "}" for v in array.to_pylist()]
    if is_list(kind) or is_.is_struct(kind) or is_.is_map(kind):
        return [None if not valid else ["json", value] for valid, value in zip(array.is_valid().to_pylist(), json_values(array))]
    return [None if scalar is None else text(kind, scalar) for scalar in raw(array)]


def text(kind, value):
    if is_.is_boolean(kind):
        return "true" if value else "false"
    if is_.is_floating(kind):
        return ["float", repr(float(value))]
    if is_.is_decimal(kind):
        return f"{value:f}"
    if is_.is_timestamp(kind):
        micros = to_micros(kind.unit, value)
        if not -211813488000000000 <= micros - MICROS_2000 < 9223371331200000000:
            raise Refused("SINK_VALUE", "a timestamp in Postgres lies between")
        return str(micros)
    if is_.is_time(kind) or is_.is_duration(kind):
        return str(to_micros(kind.unit, value))
    if kind == pa.date64():
        return str(value // 86400000)
    if is_.is_interval(kind):
        months, days, nanos = value
        return f"{months} {days} {to_micros('ns', nanos)}"
    return value.hex() if isinstance(value, bytes) else str(value)


def to_micros(unit, value):
    micros, rest = divmod(value * 10**6, PER_SECOND[unit])
    if rest != 0:
        raise Refused("SINK_VALUE", "it has nanoseconds")
    if not -(2**63) <= micros < 2**63:
        raise Refused("SINK_VALUE", "it is more than Postgres can count")
    return micros


def json_values(array):
    """As `arrow/text.ts` has nested values in JSON; arrays of plain values as Postgres itself writes them."""
    kind = array.type
    is_array = is_list(kind) and not is_nested(kind.value_type)
    convert = array_item if is_array else jsonable
    return [None if value is None else convert(kind, value) for value in array.to_pylist()]


def array_item(kind, values):
    item = kind.value_type.value_type if is_.is_dictionary(kind.value_type) else kind.value_type
    if is_.is_timestamp(item):
        return [None if v is None else v.isoformat() for v in values]
    return values


def more_cases():
    chance = random.Random(5)
    yield "uint64", pa.array([0, 1, 9999, 10000, 10**8, 2**53 + 1, 2**63, 2**64 - 1, *(chance.getrandbits(64) for _ in range(200))], pa.uint64())
    ints = [chance.getrandbits(64) - 2**63 for _ in range(200)]
    yield "int64", pa.array([2**53 + 1, -(2**53) - 1, 2**32, -(2**32), -1, *ints])
    yield "float64", pa.array(np.array(ints, np.int64).view(np.float64))
    yield "float32", pa.array(np.array([chance.getrandbits(31) for _ in range(200)], np.int32).view(np.float32))
    for precision, scale in ((38, 0), (38, 1), (38, 2), (38, 3), (38, 4), (38, 38), (19, 9), (9, 7)):
        digits = [chance.randrange(10 ** chance.randrange(1, precision + 1)) * chance.choice((1, -1)) for _ in range(60)]
        context = __import__("decimal").Context(prec=80)
        yield f"decimal_{precision}_{scale}", pa.array([context.scaleb(D(n), -scale) for n in [0, 1, -1, 10000, *digits]], pa.decimal128(precision, scale))
    for unit, per in PER_SECOND.items():
        step = max(1, per // 10**6)
        seconds = [chance.randrange(-62135596800, 253402300800) for _ in range(50)] if unit != "ns" else [chance.randrange(-9223372036, 9223372036) for _ in range(50)]
        values = [s * per + chance.randrange(per) // step * step for s in seconds]
        for zone in (None, "Asia/Tokyo"):
            yield f"timestamp_{unit}_{zone is None}", pa.array([0, step, -step, *values], pa.timestamp(unit, zone))
        yield f"duration_{unit}", pa.array([0, step, -step, *values], pa.duration(unit))
    low, high = -211813488000000000 + MICROS_2000, 2**63 - 1
    yield "timestamp_first", pa.array([low], pa.timestamp("us"))
    yield "timestamp_before", pa.array([low - 1], pa.timestamp("us"))
    yield "timestamp_last", pa.array([9223371331200000000 - 1], pa.timestamp("us"))
    yield "timestamp_s_beyond", pa.array([2**62], pa.timestamp("s"))
    yield "timestamp_late", pa.array([high - MICROS_2000], pa.timestamp("us"))
    yield "duration_s_beyond", pa.array([2**62], pa.duration("s"))
    yield "duration_largest", pa.array([high, -(2**63)], pa.duration("us"))
    yield "interval", pa.array([(-1, 2, 3000), (7, -8, -9000000000000)], pa.month_day_nano_interval())
    yield "interval_nanos", pa.array([(0, 0, 1)], pa.month_day_nano_interval())
    yield "float_list", pa.array([[1.5, None], [], None], pa.list_(pa.float64()))
    yield "bool_list", pa.array([[True, None, False], [], None])
    yield "decimal_list", pa.array([[D("1.50"), None], []], pa.list_(pa.decimal128(10, 2)))
    yield "uint64_list", pa.array([[2**64 - 1, None]], pa.list_(pa.uint64()))
    yield "words", pa.array(["x" * n for n in (0, 1, 39, 40, 41, 1000, 300_000)] + [None])
    yield "days", pa.array([-2451545 + 10957, 2**21, None], pa.int32()).view(pa.date32())


def bad_texts():
    bad = pa.array([b"ok", b"\xff\xfe"]).view(pa.string())
    yield "not_utf8_within", pa.StructArray.from_arrays([bad], names=["s"])
    # Texts this short are within the view itself.
    short = pa.array([b"ok", b"\xff\xfe"], pa.binary_view()).view(pa.string_view())
    yield "not_utf8_view_within", pa.StructArray.from_arrays([short], names=["s"])
    yield "not_utf8_under_null", pa.StructArray.from_arrays([bad], names=["s"], mask=pa.array([False, True]))


def all_cases():
    for name, table, _ in arrow_types.all_cases():
        yield name, table
    names = ["a", "A", "select", "a.b", 'é€𝄞 "q"\n', "_cf_other", "x" * 63, "user"]
    yield "names_kept", pa.Table.from_arrays([pa.array([i]) for i in range(len(names))], names=names)
    for name, array in [*more_cases(), *bad_texts()]:
        yield name, pa.table({"c": array})


def check_names(names):
    if "" in names:
        raise Refused("SINK_COLUMNS", "column 3 has an empty name")


# Python can't read these.
NOT_UTF8 = Refused("SINK_VALUE", 'row 2 of column "c" can\'t be kept in Postgres: a text within the column is not UTF-8').expected
INVALID = {"not_utf8_within": NOT_UTF8, "not_utf8_view_within": NOT_UTF8}


def expect(name, table):
    return INVALID.get(name) or expected_of(table, check_names, sql_type, texts)


if __name__ == "__main__":
    make(Path(sys.argv[2]), all_cases(), expect)
