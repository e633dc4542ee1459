"""What a bulk load into SQL Server must carry for the streams that `arrow_types.py` makes, worked out here from pyarrow's own values.

`make FOLDER` writes those streams and some more, and prints for each what is expected: the columns' SQL types and their values as the texts
that `mssql-types.test.ts` makes of what it decodes, or the code and a part of the message of the refusal.
"""

import datetime as dt
import decimal
import math
import random
import struct
import sys
from decimal import Decimal as D
from pathlib import Path

import arrow_types
import numpy as np
import pyarrow as pa
import pyarrow.types as is_
from sql_types import PER_SECOND, Refused, check_json, decoded, expected_of, is_list, jsonable, make, raw

DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 7}
EPOCH = dt.date(1970, 1, 1).toordinal()
EXACT = decimal.Context(prec=100)


def no_type():
    return Refused("SINK_TYPE", "which SQL Server can't keep")


PLAIN = [
    (is_.is_boolean, "bit"),
    (lambda t: t == pa.uint8(), "tinyint"),
    (lambda t: t in (pa.int8(), pa.int16()), "smallint"),
    (lambda t: t in (pa.int32(), pa.uint16()), "int"),
    (lambda t: t in (pa.int64(), pa.uint32()), "bigint"),
    (lambda t: t == pa.uint64(), "decimal(20,0)"),
    (lambda t: t in (pa.float16(), pa.float32()), "real"),
    (lambda t: t == pa.float64(), "float"),
    (is_.is_date, "date"),
    (is_.is_duration, "bigint"),
    (lambda t: is_.is_string(t) or is_.is_large_string(t) or is_.is_string_view(t), "nvarchar(max)"),
    (lambda t: is_.is_binary(t) or is_.is_large_binary(t) or is_.is_binary_view(t), "varbinary(max)"),
]


def sql_type(kind):
    if is_.is_dictionary(kind):
        return sql_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return sql_type(kind.storage_type)
    if is_list(kind) or is_.is_struct(kind) or is_.is_map(kind):
        check_json(kind, no_type())
        return "nvarchar(max)"
    if is_.is_null(kind):
        return "bit"
    if is_.is_fixed_size_binary(kind):
        return f"binary({kind.byte_width})" if 0 < kind.byte_width <= 8000 else "varbinary(max)"
    if is_.is_decimal(kind):
        precision = kind.precision - kind.scale if kind.scale < 0 else max(kind.precision, kind.scale)
        if precision > 38:
            raise no_type()
        return f"decimal({precision},{max(kind.scale, 0)})"
    if is_.is_time(kind):
        return f"time({DIGITS[kind.unit]})"
    if is_.is_timestamp(kind):
        return f"datetime{'2' if kind.tz is None else 'offset'}({DIGITS[kind.unit]})"
    for test, name in PLAIN:
        if test(kind):
            return name
    raise no_type()


def texts(array):
    kind = array.type
    if len(array) == 0:
        return []
    if is_.is_dictionary(kind):
        return texts(decoded(array))
    if isinstance(kind, pa.BaseExtensionType):
        return texts(array.storage)
    if is_list(kind) or is_.is_struct(kind) or is_.is_map(kind):
        return [None if value is None else ["json", jsonable(kind, value)] for value in array.to_pylist()]
    return [None if value is None else text(kind, value) for value in raw(array)]


def text(kind, value):
    if is_.is_boolean(kind):
        return "true" if value else "false"
    if is_.is_floating(kind):
        return floating(kind, float(value))
    if is_.is_decimal(kind):
        if len(value.as_tuple().digits) > kind.precision:
            raise Refused("SINK_VALUE", "which has more than 5 digits")
        return f"{value.quantize(D(1).scaleb(-max(kind.scale, 0)), context=EXACT):f}"
    if is_.is_date32(kind):
        return date_of(value)
    if kind == pa.date64():
        if value % 86_400_000 != 0:
            raise Refused("SINK_VALUE", "which is not a whole day")
        return date_of(value // 86_400_000)
    if is_.is_time(kind):
        return clock(kind.unit, value)
    if is_.is_timestamp(kind):
        day, rest = divmod(value, 86_400 * PER_SECOND[kind.unit])
        time = clock(kind.unit, rest)
        return f"{date_of(day)}T{time}{'' if kind.tz is None else '+00:00'}"
    return value.hex() if isinstance(value, bytes) else str(value)


def floating(kind, value):
    if not math.isfinite(value):
        raise Refused("SINK_VALUE", "and SQL Server has no such number")
    if value != 0 and abs(value) < (2.0**-1022 if kind == pa.float64() else 2.0**-126):
        raise Refused("SINK_VALUE", "which is nearer to zero than SQL Server's")
    return struct.pack(">d", value).hex()


def date_of(day):
    if not 1 <= day + EPOCH <= dt.date.max.toordinal():
        raise Refused("SINK_VALUE", "outside of the years 1 to 9999")
    return dt.date.fromordinal(day + EPOCH).isoformat()


def clock(unit, value):
    seconds, fraction = divmod(value, PER_SECOND[unit])
    if unit == "ns":
        fraction, lost = divmod(fraction, 100)
        if lost != 0:
            raise Refused("SINK_VALUE", "SQL Server keeps hundreds of nanoseconds")
    digits = DIGITS[unit]
    rest = f".{fraction:0{digits}}" if digits else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{rest}"


def more_cases():
    chance = random.Random(5)
    ints = [chance.getrandbits(64) - 2**63 for _ in range(200)]
    yield "uint64", pa.array([2**53 + 1, 2**63, 2**64 - 1, *(n + 2**63 for n in ints)], pa.uint64())
    yield "int64", pa.array([2**53 + 1, -(2**53) - 1, 2**32, -1, *ints])
    for bits, first in ((8, -(2**7)), (16, -(2**15)), (32, -(2**31))):
        yield f"int{bits}", pa.array([first, -1, 0, 1, -first - 1], getattr(pa, f"int{bits}")())
        yield f"uint{bits}", pa.array([0, 1, -first, 2**bits - 1], getattr(pa, f"uint{bits}")())
    whole = [1.5, -0.0, 0.1, 2.0**-1022, 1.7976931348623157e308, -1.7976931348623157e308, 9007199254740993.0]
    yield "float64", pa.array([*whole, *(chance.uniform(-1, 1) * 10.0 ** chance.randrange(-300, 300) for _ in range(200)), None])
    yield "float32", pa.array(np.array([1.5, -0.0, 0.1, 2.0**-126, 3.4028234663852886e38], np.float32))
    yield "float16", pa.array([np.float16(1.5), None, np.float16(6e-8), np.float16(-65504)], pa.float16())
    for name, value in (("nan", math.nan), ("infinity", math.inf), ("below_normal", 5e-324)):
        yield f"float_{name}", pa.array([1.0, None, value])
    yield "float32_below_normal", pa.array(np.array([1e-45], np.float32))
    for precision, scale in ((38, 0), (38, 1), (38, 19), (38, 38), (29, 3), (28, 3), (20, 5), (19, 9), (10, 2), (9, 7), (1, 0), (3, 5), (5, -2)):
        numbers = [chance.randrange(10 ** chance.randrange(1, precision + 1)) * chance.choice((1, -1)) for _ in range(60)]
        largest = 10**precision - 1
        words = b"".join(n.to_bytes(16, "little", signed=True) for n in [0, 1, -1, largest, -largest, *numbers])
        array = pa.Array.from_buffers(pa.decimal128(precision, scale), len(words) // 16, [None, pa.py_buffer(words)])
        yield f"decimal_{precision}_{scale}", array
    too_large = pa.py_buffer((10**5).to_bytes(16, "little"))
    yield "decimal_too_large", pa.Array.from_buffers(pa.decimal128(5, 2), 1, [None, too_large])
    yield "decimal_256", pa.array([D("-1.25"), None], pa.decimal256(38, 2))
    yield "decimal_39", pa.array([D(1)], pa.decimal256(39, 0))
    for unit, per in PER_SECOND.items():
        step = 100 if unit == "ns" else 1
        low, high = (-9_223_372_036, 9_223_372_036) if unit == "ns" else (-62_135_596_800, 253_402_300_800)
        values = [chance.randrange(low, high) * per + chance.randrange(per) // step * step for _ in range(50)]
        for zone in (None, "Asia/Tokyo"):
            name = f"timestamp_{unit}_{'local' if zone is None else 'zone'}"
            yield name, pa.array([0, step, -step, *values], pa.timestamp(unit, zone))
            if unit == "ns":
                yield f"{name}_rest", pa.array([100, 101], pa.timestamp(unit, zone))
            else:
                ends = [-62_135_596_800 * per, 253_402_300_800 * per - 1]
                yield f"{name}_ends", pa.array(ends, pa.timestamp(unit, zone))
                yield f"{name}_before", pa.array([ends[0] - 1], pa.timestamp(unit, zone))
                yield f"{name}_after", pa.array([ends[1] + 1], pa.timestamp(unit, zone))
    yield "time_ns", pa.array([0, 100, 86_399_999_999_900, None], pa.time64("ns"))
    yield "time_ns_rest", pa.array([1], pa.time64("ns"))
    yield "time_us", pa.array([0, 1, 86_399_999_999], pa.time64("us"))
    yield "dates", pa.array([dt.date(1, 1, 1), dt.date(1582, 10, 15), dt.date(1970, 1, 1), dt.date(2000, 2, 29), dt.date(9999, 12, 31), None])
    yield "date_before", pa.array([-719_163], pa.int32()).view(pa.date32())
    yield "date_after", pa.array([2_932_897], pa.int32()).view(pa.date32())
    yield "date64_part", pa.array([86_400_001], pa.int64()).view(pa.date64())
    yield "interval", pa.array([(1, 2, 3000)], pa.month_day_nano_interval())
    words = ["", "\0", "a\0b", "\ufffd", "é€𝄞", "\U0010ffff", "\ud7ff\ue000", "'[]\"\\\r\n\t", "x" * 4000, "𝄞" * 5000, "x" * 1_000_000, None]
    yield "words", pa.array(words)
    yield "long_bytes", pa.array([b"", b"\0", bytes(range(256)), b"a" * 8191, b"b" * 8192, b"\xff" * 1_000_000, None])
    yield "wide_bytes", pa.array([b"x" * 9000, None], pa.binary(9000))
    yield "not_utf8", pa.array([b"ok", b"\xff\xfe"]).view(pa.string())
    surrogates = pa.array([b"\xed\xa0\x80"]).view(pa.string())
    yield "surrogate", surrogates
    yield "not_utf8_below", pa.ListArray.from_arrays([0, 1], surrogates)
    yield "replacement_below", pa.array([["\ufffd", "a"]])
    for kind in (pa.int64(), pa.decimal128(38, 2), pa.timestamp("ms", "UTC"), pa.binary(3), pa.bool_()):
        values = pa.array([b"abc", b"xyz"], kind) if is_.is_fixed_size_binary(kind) else pa.array([1, 0]).cast(kind)
        yield f"dictionary_{kind}", pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), values)


def all_cases():
    for name, table, _ in arrow_types.all_cases():
        yield name, table
    names = ["a", "select", "a.b", 'é€𝄞 "q"\n', "a]b", "[x]; drop table t--", "it's", "x" * 128, "_cf_other", "c1"]
    yield "names_kept", pa.Table.from_arrays([pa.array([i]) for i in range(len(names))], names=names)
    yield "columns_1019", pa.table({f"c{i}": pa.array([i, None]) for i in range(1019)})
    yield "columns_1020", pa.table({f"c{i}": pa.array([i, None]) for i in range(1020)})
    yield "columns_2000", pa.table({f"c{i}": pa.array([i, None]) for i in range(2000)})
    yield "name_long", pa.table({"x" * 129: [1]})
    yield "name_twice", pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    yield "name_lineage", pa.table({"_CF_job_id": [1]})
    for name, array in more_cases():
        yield name, pa.table({"c": array})


def check_names(names):
    if len(names) > 1019:
        raise Refused("SINK_COLUMNS", 'from "c1019" on there is no room')
    for index, name in enumerate(names):
        if name == "":
            raise Refused("SINK_COLUMNS", f"column {index + 1} has an empty name")
        if name.lower() == "_cf_job_id":
            raise Refused("SINK_COLUMNS", "has the name of a lineage column")
        if len(name.encode("utf-16-le")) > 256:
            raise Refused("SINK_COLUMNS", "and SQL Server keeps 128")
        if name in names[:index]:
            raise Refused("SINK_COLUMNS", "two columns of the output are named")


# Python can't read these.
INVALID = {
    "not_utf8": Refused("SINK_VALUE", 'row 2 of column "c" is not UTF-8').expected,
    "surrogate": Refused("SINK_VALUE", 'row 1 of column "c" is not UTF-8').expected,
    "not_utf8_below": Refused("SINK_VALUE", 'row 1 of column "c" is not UTF-8 everywhere').expected,
}


def expect(name, table):
    return INVALID.get(name) or expected_of(table, check_names, lambda field: sql_type(field.type), texts)


if __name__ == "__main__":
    make(Path(sys.argv[2]), all_cases(), expect)
