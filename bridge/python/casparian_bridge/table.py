"""Reads rows out of whatever a plugin yields."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .fault import Fault

# Small enough that memory stays flat in Node and in sinks, large enough that a message's cost does not count.
_BATCH_ROWS_MAX = 65_536
_BATCH_BYTES = 4 << 20
_BATCH_BYTES_MAX = 32 << 20
# Below this many values a thread pool costs more than it gives.
_THREADED_VALUES_MIN = 500_000

_ACCEPTED = (
    "Yield a pyarrow Table, RecordBatch or RecordBatchReader, a pandas or polars DataFrame, or a list of dicts, or a pair of an output's "
    "name and one of these."
)


@dataclass(frozen=True)
class Rows:
    """Batches under one schema; the batches are made while they are taken."""

    schema: Any
    batches: Iterable[Any]


def rows_of(value: Any, where: str) -> Rows | None:
    """None: there is nothing in it, not even a column. Raises Fault for what is no table."""
    import pyarrow as pa

    if isinstance(value, pa.RecordBatch):
        return _rows(value.schema, [value])
    if isinstance(value, pa.Table):
        return _table(value, where)
    if isinstance(value, pa.RecordBatchReader):
        return _rows(value.schema, value)
    if _is(value, "pandas", "DataFrame"):
        return _pandas(value, where)
    if _is(value, "polars", "LazyFrame"):
        value = value.collect()
    if _is(value, "polars", "DataFrame"):
        return _table(value.to_arrow(), where)
    if is_rows(value):
        return _dicts(value, where)
    if hasattr(value, "__arrow_c_stream__") and not _is(value, "pandas", "Series") and not _is(value, "polars", "Series"):
        reader = pa.RecordBatchReader.from_stream(value)
        return _rows(reader.schema, reader)
    raise Fault("PLUGIN_WRONG_TYPE", f"a value of type {_name(value)} is not a table{where}", _advice(value))


def is_rows(value: Any) -> bool:
    """A list of dicts; an empty list is one without rows."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def is_table(value: Any) -> bool:
    """Whether the value itself is rows, and not something that gives them one after the other."""
    return (
        is_rows(value)
        or hasattr(value, "__arrow_c_stream__")
        or hasattr(value, "__arrow_c_array__")
        or any(_is(value, module, kind) for module, kind in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("polars", "LazyFrame")))
    )


def _is(value: Any, module: str, kind: str) -> bool:
    """Without importing the library: a value of it can only exist where it is loaded."""
    known = getattr(sys.modules.get(module), kind, None)
    return isinstance(known, type) and isinstance(value, known)


def _table(table: Any, where: str) -> Rows | None:
    if table.num_columns == 0:
        return _no_columns(table.num_rows, where)
    return _rows(table.schema, table.to_batches(max_chunksize=_BATCH_ROWS_MAX))


def _pandas(frame: Any, where: str) -> Rows | None:
    import pandas as pd
    import pyarrow as pa

    # Numbers without a name are only rows' positions, and which are left depends on the rows; an index with a name is a column.
    index = frame.index
    positions = index.nlevels == 1 and index.name is None and pd.api.types.is_integer_dtype(index.dtype)
    if len(frame.columns) == 0 and positions:
        return _no_columns(len(frame), where)
    try:
        threads = None if frame.size >= _THREADED_VALUES_MIN else 1
        table = pa.Table.from_pandas(frame, preserve_index=False if positions else None, nthreads=threads)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        hint = "Give each column one type, for example with DataFrame.astype or the dtype argument of read_csv."
        raise Fault("PLUGIN_WRONG_TYPE", f"a DataFrame can't be made an Arrow table{where}: {_words(error)}", hint) from error
    return _table(table, where)


def _dicts(rows: list[dict[Any, Any]], where: str) -> Rows | None:
    import pyarrow as pa

    # All rows' keys: the first row alone would decide otherwise, and the others' values would be dropped in silence.
    names = list(dict.fromkeys(name for row in rows for name in row))
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None:
        raise Fault("PLUGIN_WRONG_TYPE", f"a row has a key of type {_name(wrong)}, {wrong!r}{where}", "Use strings as names of columns.")
    if not names:
        return _no_columns(len(rows), where)
    columns = []
    for name in names:
        try:
            columns.append(pa.array([row.get(name) for row in rows]))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
            message = f"the values of {name!r} have no common type{where}: {_words(error)}"
            raise Fault("PLUGIN_WRONG_TYPE", message, "Give the column one type in every row.") from error
    return _table(pa.table(columns, names=names), where)


def _no_columns(rows: int, where: str) -> None:
    if rows > 0:
        raise Fault("PLUGIN_WRONG_TYPE", f"{rows} rows without a column{where}", "Yield at least one column.")


def _rows(schema: Any, batches: Iterable[Any]) -> Rows:
    # What pandas notes beside a schema, such as the range of its index, differs from chunk to chunk and describes a frame, not the rows.
    metadata = {key: value for key, value in (schema.metadata or {}).items() if key != b"pandas"}
    return Rows(schema.with_metadata(metadata or None), _sliced(batches))


def _sliced(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        if batch.num_rows == 0:
            continue
        rows = min(_BATCH_ROWS_MAX, max(1, batch.num_rows * _BATCH_BYTES // max(1, batch.nbytes)))
        if rows >= batch.num_rows:
            yield batch
            continue
        for start in range(0, batch.num_rows, rows):
            yield from _halved(_compact(batch.slice(start, rows)))


def _halved(batch: Any) -> Iterator[Any]:
    """Rows are not all of one size: some thousand small ones may hide a large one."""
    if batch.nbytes <= _BATCH_BYTES_MAX or batch.num_rows == 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halved(batch.slice(0, middle))
    yield from _halved(batch.slice(middle))


def _compact(batch: Any) -> Any:
    """A slice of a column of views would be sent with the text of the whole column."""
    import pyarrow as pa

    views = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    if not any(column.type in views for column in batch.columns):
        return batch
    columns = [column.cast(views[column.type]).cast(column.type) if column.type in views else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _advice(value: Any) -> str:
    if isinstance(value, dict):
        return "Yield a list of dicts for rows, [row], or pyarrow.table(columns) for columns."
    if _is(value, "pandas", "Series") or _is(value, "polars", "Series"):
        return "Yield value.to_frame()."
    return _ACCEPTED


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _words(error: BaseException) -> str:
    """pyarrow puts the column into a second argument."""
    return "; ".join(str(part) for part in error.args) or type(error).__name__
