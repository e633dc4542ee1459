"""Writes Arrow streams of one column to the folder that is given, and prints which text each value is to have, as JSON.

Each case is (name, array or pieces of a dictionary column, texts)."""

import datetime as dt
import json
import sys
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pyarrow as pa

UTC = dt.timezone.utc


def cases():
    for bits in (8, 16, 32, 64):
        lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        yield pa.array([lowest, None, highest], getattr(pa, f"int{bits}")()), [str(lowest), None, str(highest)]
        yield pa.array([0, None, 2**bits - 1], getattr(pa, f"uint{bits}")()), ["0", None, str(2**bits - 1)]
    floats = [1.5, -0.0, float("nan"), float("inf"), None]
    texts = ["1.5", "-0", "NaN", "Infinity", None]
    yield pa.array([np.float16(x) if x is not None else None for x in floats] + [np.float16(6e-8)], pa.float16()), [
        *texts,
        "5.960464477539063e-8",
    ]
    yield pa.array(floats, pa.float32()), texts
    yield pa.array([*floats, 0.1, 5e-324], pa.float64()), [*texts, "0.1", "5e-324"]
    yield pa.array([True, None, False]), ["true", None, "false"]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        yield pa.array(["", "é€𝄞", None, "more than twelve bytes of text"], kind), ["", "é€𝄞", None, "more than twelve bytes of text"]
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        yield pa.array([b"", b"a\x00\xff", None, b"\xff" * 40], kind), ["", "6100ff", None, "ff" * 40]
    yield pa.array([b"abc", None], pa.binary(3)), ["616263", None]
    yield pa.array([D("1.23"), None, D("-0.05")], pa.decimal32(9, 2)), ["1.23", None, "-0.05"]
    yield pa.array([D("-123456789012345.678")], pa.decimal64(18, 3)), ["-123456789012345.678"]
    yield pa.array([D("1" * 28 + "." + "9" * 10), D("-" + "9" * 28)], pa.decimal128(38, 10)), [
        "1" * 28 + "." + "9" * 10,
        "-" + "9" * 28 + "." + "0" * 10,
    ]
    yield pa.array([D("-" + "9" * 40 + "." + "9" * 36), D(1)], pa.decimal256(76, 36)), [
        "-" + "9" * 40 + "." + "9" * 36,
        "1." + "0" * 36,
    ]
    yield pa.array([D("1500")], pa.decimal128(5, -2)), ["1500"]
    days = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]
    yield pa.array([*days, None]), ["0001-01-01", "1969-12-31", "2024-02-29", "9999-12-31", None]
    yield pa.array([2932897, -719529], pa.int32()).view(pa.date32()), ["+010000-01-01", "-000001-12-31"]
    yield pa.array([-1, 86_400_000 * 20000], pa.int64()).view(pa.date64()), ["1969-12-31T23:59:59.999", "2024-10-04T00:00:00.000"]
    yield pa.array([86399, None], pa.time32("s")), ["23:59:59", None]
    yield pa.array([1], pa.time32("ms")), ["00:00:00.001"]
    yield pa.array([86399999999], pa.time64("us")), ["23:59:59.999999"]
    yield pa.array([86399999999999], pa.time64("ns")), ["23:59:59.999999999"]
    for unit, digits in (("s", 0), ("ms", 3), ("us", 6), ("ns", 9)):
        rest = f".{'9' * digits}" if digits else ""
        end = f".{'0' * (digits - 1)}1" if digits else ":"
        stamps = pa.array([-1, 1, None], pa.int64())
        before = f"1969-12-31T23:59:59{rest}"
        after = f"1970-01-01T00:00:00{end}" if digits else "1970-01-01T00:00:01"
        yield stamps.view(pa.timestamp(unit)), [before, after, None]
        yield stamps.view(pa.timestamp(unit, "Europe/Berlin")), [f"{before}Z", f"{after}Z", None]
        spans = ("PT-1S", "PT1S") if digits == 0 else (f"PT-0{end}S", f"PT0{end}S")
        yield stamps.view(pa.duration(unit)), [*spans, None]
    yield pa.nulls(2), [None, None]
    for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view):
        yield pa.array([[1, 2], None, [], [None]], make(pa.int64())), ["[1,2]", None, "[]", "[null]"]
    yield pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)), ["[1,2]", None, "[3,null]"]
    record = pa.struct([("a", pa.int64()), ('b"', pa.string()), ("d", pa.decimal128(38, 2)), ("f", pa.float64())])
    yield pa.array([{"a": 2**62, 'b"': 'x"\n', "d": D("1.50"), "f": float("inf")}, None, {}], record), [
        '{"a":4611686018427387904,"b\\"":"x\\"\\n","d":"1.50","f":"Infinity"}',
        None,
        '{"a":null,"b\\"":null,"d":null,"f":null}',
    ]
    yield pa.array([[("k", 1), ("k", None)], None, []], pa.map_(pa.string(), pa.int8())), [
        '[{"key":"k","value":1},{"key":"k","value":null}]',
        None,
        "[]",
    ]
    yield pa.array([[[1], []], None], pa.list_(pa.list_(pa.int8()))), ["[[1],[]]", None]
    indices = pa.array([0, 1, None, 2, 0], pa.int8())
    yield pa.DictionaryArray.from_arrays(indices, pa.array(["x", "yy", None])), ["x", "yy", None, None, "x"]
    yield pa.DictionaryArray.from_arrays(indices, pa.array([D("1.5"), D("2.5"), D(0)], pa.decimal128(38, 1))), ["1.5", "2.5", None, "0.0", "1.5"]
    yield pa.ListArray.from_arrays([0, 2, 3], pa.array(["a", "b", "a"]).dictionary_encode()), ['["a","b"]', '["a"]']
    months = pa.array([1, 0, -2, 3, 0, 0], pa.int32()).buffers()[1]
    yield pa.Array.from_buffers(pa.month_day_nano_interval(), 1, [None, months]), ["P1M0DT17.179869182S"]
    yield pa.array([pa.MonthDayNano([1, -2, 3]), None], pa.month_day_nano_interval()), ["P1M-2DT0.000000003S", None]
    yield pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 5], pa.int32()), pa.array(["x", None, "y"])), ["x", "x", None, "y", "y"]
    for union in (pa.UnionArray.from_sparse, pa.UnionArray.from_dense):
        dense = [pa.array([0, 0, 1], pa.int32())] if union == pa.UnionArray.from_dense else []
        kinds = [pa.array([7, 8, 9], pa.int64()), pa.array(["a", "b", "c"])]
        texts = ['{"n":7}', '{"s":"a"}', '{"n":8}'] if dense else ['{"n":7}', '{"s":"b"}', '{"n":9}']
        yield union(pa.array([5, 9, 5], pa.int8()), *dense, kinds, ["n", "s"], [5, 9]), texts
    # A slice begins within its buffers.
    yield pa.array(["a", None, "c", "d"] * 5).slice(3, 6), ["d", "a", None, "c", "d", "a"]
    yield pa.array([True, None, False] * 5).slice(4, 5), [None, "false", "true", None, "false"]


def main() -> None:
    folder = Path(sys.argv[1])
    expected = []
    for number, (array, texts) in enumerate(cases()):
        batch = pa.record_batch([pa.array(range(len(array))), array], names=["row", "c"])
        with pa.ipc.new_stream(folder / f"{number}.arrows", batch.schema) as writer:
            writer.write_batch(batch)
        expected.append({"name": str(number), "type": str(array.type), "texts": texts})
    # A dictionary that grows with each batch.
    schema = pa.schema([("row", pa.int64()), ("c", pa.dictionary(pa.int32(), pa.string()))])
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(folder / "deltas.arrows", schema, options=options) as writer:
        for values in (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]):
            column = pa.DictionaryArray.from_arrays(pa.array([0, len(values) - 1], pa.int32()), pa.array(values))
            writer.write_batch(pa.record_batch([pa.array([0, 1]), column], schema=schema))
    expected.append({"name": "deltas", "type": "growing dictionary", "texts": ["a", "b", "a", "c", "a", "d"]})
    print(json.dumps(expected))


main()
