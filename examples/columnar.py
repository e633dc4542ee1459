"""Parquet, Feather, Arrow and ORC files: their rows as they are, with their own types.

In: Parquet, Arrow IPC files (Feather version 2), Arrow IPC streams and ORC, told apart by their bytes, not by their names.

Out, `columnar`: the file's columns. A part of the file at a time is in memory: a row group, a record batch, a stripe.

Set aside: parts that can't be read, such as row groups whose pages don't have their checksum, and what is left of a stream that is cut off; each as one
row with the part's number, its rows (where the file tells) and the reason, because rows that can't be read have no values. Their bytes are in
the file's version. A file that can't be opened at all, empty or without footer, fails with the reason.

Columns that are called like lineage columns (`_cf_job_id`, …), as in files that this product wrote, get PREFIX before their names.

Configure it here. It needs nothing beyond the standard environment.
"""

import pyarrow as pa
from pyarrow import ipc, orc
from pyarrow import parquet as pq

MANIFEST = {"pattern": ["*.parquet", "*.feather", "*.arrow", "*.arrows", "*.orc"], "topic": "columnar"}

COLUMNS = None  # a list of names takes only these
PREFIX = "source"
ROWS = 10_000

REJECTED = pa.schema([("_cf_reason", pa.string()), ("_cf_position", pa.string()), ("rows", pa.int64())])


class Handler:
    def execute(self, file_path: str):
        with open(file_path, "rb") as file:
            beginning = file.read(8)
        kind = next((read for magic, read in KINDS.items() if beginning.startswith(magic)), None)
        if kind is None:
            what = "is empty" if not beginning else f"begins with {beginning!r}"
            raise ValueError(f"the file {what}: it is neither Parquet nor Arrow nor ORC")
        schema, parts = kind(file_path)
        # Also without a row, because what is set aside belongs to an output.
        yield chosen(schema.empty_table())
        for number, (rows, read) in enumerate(parts, 1):
            counted = 0
            try:
                for batch in read():
                    yield chosen(pa.Table.from_batches([batch], schema))
                    counted += batch.num_rows
                if rows is not None and counted != rows:
                    raise ValueError(f"{counted} of its {rows} rows were there")
            except (pa.ArrowException, OSError, ValueError) as error:
                first = f"part {number}" if counted == 0 else f"part {number}, after row {counted}"
                bad = {"_cf_reason": str(error), "_cf_position": first, "rows": None if rows is None else rows - counted}
                yield "_quarantine", pa.Table.from_pylist([bad], REJECTED)


def chosen(table: pa.Table) -> pa.Table:
    table = table if COLUMNS is None else table.select(COLUMNS)
    return table.rename_columns([PREFIX + name if name.startswith("_cf_") else name for name in table.column_names])


def parquet(path: str):
    file = pq.ParquetFile(path, page_checksum_verification=True)

    def part(group: int):
        return file.metadata.row_group(group).num_rows, lambda: file.iter_batches(ROWS, row_groups=[group], use_threads=False)

    return file.schema_arrow, (part(group) for group in range(file.metadata.num_row_groups))


def arrow_file(path: str):
    file = ipc.open_file(path)
    return file.schema, ((None, lambda at=at: [file.get_batch(at)]) for at in range(file.num_record_batches))


def arrow_stream(path: str):
    stream = ipc.open_stream(path)
    # A stream tells neither how many batches nor how many rows it has: one part.
    return stream.schema, iter([(None, lambda: checked_end(stream, path))])


def checked_end(stream, path: str):
    yield from stream
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - 8))
        if file.read() != b"\xff\xff\xff\xff\0\0\0\0":
            raise ValueError("the stream ends without the mark of its end: it may have been cut off")


def orc_file(path: str):
    file = orc.ORCFile(path)
    return file.schema, ((None, lambda at=at: [file.read_stripe(at)]) for at in range(file.nstripes))


# Feather's version 1 is Arrow's no longer.
KINDS = {b"PAR1": parquet, b"ARROW1": arrow_file, b"\xff\xff\xff\xff": arrow_stream, b"ORC": orc_file}
