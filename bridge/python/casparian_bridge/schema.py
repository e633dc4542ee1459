"""One output has one schema: the first rows' schema. Later rows must fit it."""

from typing import Any

from .fault import Fault

# domain/lineage.ts
LINEAGE_COLUMNS = ("_cf_source_hash", "_cf_job_id", "_cf_file_version_id", "_cf_processed_at", "_cf_plugin_version")
_NAMED_MAX = 10


def refuse_columns(output: str, schema: Any) -> None:
    """Columns that no sink could keep apart."""
    seen: set[str] = set()
    for name in schema.names:
        if name in LINEAGE_COLUMNS:
            raise Fault(
                "PLUGIN_INVALID_OUTPUT",
                f"output {output} has a column {name}, which is a name of a lineage column",
                "Rename the column: every row gets the lineage columns when it is written.",
            )
        if name in seen:
            raise Fault("PLUGIN_INVALID_OUTPUT", f"output {output} has two columns called {name}", "Rename or drop one of them.")
        seen.add(name)


def conform(batch: Any, schema: Any, output: str, where: str) -> Any:
    """The same rows under the output's schema. Types must be equal; metadata may differ, a column without a value fits any type, and
    whether a column may be null is checked by its values."""
    if batch.schema.equals(schema):
        return batch
    import pyarrow as pa

    if batch.schema.names != schema.names:
        raise _changed(output, where, _names_changed(schema.names, batch.schema.names))
    columns, changes = [], []
    for field, column in zip(schema, batch.columns, strict=True):
        if column.type != field.type and column.null_count == len(column):
            column = pa.nulls(len(column), field.type)
        if column.type != field.type:
            changes.append(f"{field.name} was {field.type}, now {column.type}")
        elif column.null_count > 0 and not field.nullable:
            changes.append(f"{field.name} was declared not null, now it has {column.null_count} nulls")
        columns.append(column)
    if changes:
        raise _changed(output, where, _some(changes))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _names_changed(first: list[str], now: list[str]) -> str:
    missing = [name for name in first if name not in now]
    added = [name for name in now if name not in first]
    parts = []
    if missing:
        parts.append(f"missing now: {_some(missing)}")
    if added:
        parts.append(f"new now: {_some(added)}")
    return "; ".join(parts) or f"the columns' order was {_some(first)}, now {_some(now)}"


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _changed(output: str, where: str, what: str) -> Fault:
    return Fault("PLUGIN_SCHEMA_CHANGED", f"output {output} changed its columns midway{where}: {what}")
