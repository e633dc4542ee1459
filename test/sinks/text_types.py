"""Compares the text files that were made of the streams of arrow_types.py with what those streams hold.

`compare FOLDER` prints what differs in FOLDER/csv/<name> and FOLDER/jsonl/<name>. CSV is read by pyarrow, all of it as text and then, where
pyarrow reads the type from CSV, as that type; JSON Lines by Python's json.
"""

import json
import math
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from arrow_types import LINEAGE

DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
LINEAGE_TEXTS = ["a" * 64, "9007199254740993", "12", "2026-01-02T03:04:05.678000Z", "trades@1.2.3"]


def expected(scalar):
    """What a value's JSON is to hold."""
    kind = scalar.type
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        return expected(scalar.value) if scalar.is_valid else None
    if not scalar.is_valid:
        return None
    if pa.types.is_struct(kind):
        return {name: expected(value) for name, value in scalar.items()}
    if pa.types.is_map(kind):
        return [{"key": expected(pair[0]), "value": expected(pair[1])} for pair in (tuple(p.values()) for p in scalar.values)]
    if pa.types.is_nested(kind):
        return [expected(value) for value in scalar.values]
    if pa.types.is_floating(kind):
        value = float(scalar.as_py())
        return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if pa.types.is_decimal(kind):
        return format(scalar.as_py(), "f")
    if isinstance(scalar.as_py() if not pa.types.is_temporal(kind) else None, bytes):
        return scalar.as_py().hex()
    return temporal(scalar) if pa.types.is_temporal(kind) else scalar.as_py()


def temporal(scalar):
    kind, value = scalar.type, scalar.value
    if pa.types.is_duration(kind):
        return f"PT{format(Decimal(value).scaleb(-DIGITS[kind.unit]), 'f')}S"
    if pa.types.is_time(kind):
        seconds, rest = divmod(value, 10 ** DIGITS[kind.unit])
        fraction = f".{rest:0{DIGITS[kind.unit]}}" if DIGITS[kind.unit] else ""
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
    unit = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date64(kind) else kind.unit
    # numpy has no such time, but its neighbour, which ends in 3.
    text = str(np.datetime64(value, unit)) if value > -(2**63) else str(np.datetime64(value + 1, unit))[:-1] + "2"
    sign = "+" if text.index("-", 1) > 4 and text[0] != "-" else ""
    return sign + text + ("Z" if pa.types.is_timestamp(kind) and kind.tz else "")


def compare(folder):
    differences = []
    for path in sorted(folder.glob("*.arrows")):
        given = pa.ipc.open_stream(path).read_all()
        if not (folder / "csv" / path.stem).exists():
            continue
        for find in (differences_of_csv, differences_of_json):
            differences += [f"{path.stem} ({given.schema.field(0).type}): {text}" for text in find(folder, path.stem, given)]
    print(json.dumps(differences))


def differences_of_json(folder, name, given):
    (path,) = (folder / "jsonl" / name).glob("*.jsonl")
    rows = [json.loads(line, parse_int=whole_number) for line in path.read_bytes().split(b"\n")[:-1]]
    if len(rows) != given.num_rows:
        yield f"{len(rows)} lines"
    for index, row in enumerate(rows):
        if list(row) != [*given.column_names, *LINEAGE] or [str(row[name]) for name in LINEAGE] != LINEAGE_TEXTS:
            yield f"the members are {row}"
        for column, value in zip(given.columns, row.values()):
            wanted = expected(column[index])
            # A number without a point is an int to Python, whatever its column.
            if repr(float(value) if isinstance(wanted, float) else value) != repr(wanted):
                yield f"row {index} has {str(value)[:200]} in JSON where {str(wanted)[:200]} was given"


def whole_number(text):
    return -0.0 if text == "-0" else int(text)


def read_csv(path, names, kinds):
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=1 << 26, column_names=[str(i) for i in range(len(names))], skip_rows_after_names=1),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={str(i): kind for i, kind in enumerate(kinds)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    )


def differences_of_csv(folder, name, given):
    (path,) = (folder / "csv" / name).glob("*.csv")
    names = [*given.column_names, *LINEAGE]
    text = pa.string()
    # As a first row, because pyarrow takes names only where they differ.
    head = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=1 << 26, autogenerate_column_names=True),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types={f"f{i}": text for i in range(len(names))}),
    )
    if [column[0].as_py() for column in head.columns] != names:
        yield f"the header is {[column[0].as_py() for column in head.columns]}"
    found = read_csv(path, names, [text] * len(names))
    if found.num_rows != given.num_rows:
        yield f"{found.num_rows} records"
    for index, column in enumerate(given.columns):
        for row, value in enumerate(found.column(index).to_pylist()):
            if not same_text(value, expected(column[row])):
                yield f"row {row} has {str(value)[:200]} in CSV where {str(expected(column[row]))[:200]} was given"
    for index, value in enumerate(LINEAGE_TEXTS):
        if found.column(given.num_columns + index).unique().to_pylist() != [value] * min(1, given.num_rows):
            yield f"the lineage is {found.column(given.num_columns + index).unique()}"
    kinds = [field.type if reads(field.type) else text for field in given.schema]
    typed = read_csv(path, names, [*kinds, *(kind for kind, _ in LINEAGE.values())])
    for index, field in enumerate(given.schema):
        if kinds[index] == field.type and repr(typed.column(index).to_pylist()) != repr(given.column(index).to_pylist()):
            yield f"column {index} is read as {typed.column(index).to_pylist()}"


def same_text(text, wanted):
    if wanted is None or text is None:
        return text is wanted
    if isinstance(wanted, float):
        return repr(float(text)) == repr(wanted)
    if isinstance(wanted, (list, dict)):
        return repr(json.loads(text)) == repr(wanted)
    return text == (str(wanted).lower() if isinstance(wanted, bool) else str(wanted))


def reads(kind):
    """Whether pyarrow reads this type, and all of its values, from CSV."""
    if pa.types.is_timestamp(kind):
        return kind.unit != "us" and kind.tz is None
    return (
        pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or kind in (pa.string(), pa.large_string(), pa.float64(), pa.date32(), pa.time32("s"), pa.time64("ns"))
        or (pa.types.is_decimal128(kind) and kind.scale >= 0)
    )


if __name__ == "__main__":
    {"compare": compare}[sys.argv[1]](Path(sys.argv[2]))
