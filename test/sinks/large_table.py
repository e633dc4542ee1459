"""`make STREAM` writes a large Arrow stream of many types; `describe STREAM PARQUET` prints what pyarrow sees of the file made of it."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, BATCH = 400_000, 32_768


def make(stream):
    random = np.random.default_rng(7)
    number = np.arange(ROWS)
    words = pa.array([f"word {n % 50_000}" for n in number])
    # Its dictionary is another in each batch.
    category = pa.chunked_array([words.slice(at, BATCH).dictionary_encode() for at in range(0, ROWS, BATCH)])
    # Its dictionary grows from batch to batch, and only what is new is sent.
    growing = [
        pa.DictionaryArray.from_arrays(
            pa.array(number[at : at + BATCH] % (at // BATCH + 1) * 10, pa.int32()), words.slice(0, at // BATCH * 10 + 10)
        )
        for at in range(0, ROWS, BATCH)
    ]
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * ROWS + 1, 2), pa.int32()), pa.array(np.arange(2 * ROWS) % 1000))
    table = pa.table(
        {
            "id": number,
            "at": pa.array(1_700_000_000 + number, pa.timestamp("s")),
            "price": pa.array(random.normal(size=ROWS), mask=number % 7 == 0),
            "word": words,
            "category": category,
            "growing": pa.chunked_array(growing),
            "pair": lists,
            "amount": pa.array(number).cast(pa.decimal128(20, 0)),
            "flag": pa.array(number % 3 == 0),
        }
    ).replace_schema_metadata({"own": "kept", "casparian.job": "of another file", "ARROW:schema": "wrong"})
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.OSFile(stream, "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=BATCH)


def describe(stream, path):
    given = pa.ipc.open_stream(stream).read_all()
    kept = given.set_column(1, "at", given["at"].cast(pa.timestamp("ms")))
    read = pq.read_table(path)
    read.validate(full=True)
    file = pq.ParquetFile(path)
    meta = file.metadata
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    lineage = [[groups[i].column(c).statistics for c in range(meta.num_columns - 5, meta.num_columns)] for i in range(len(groups))]
    facts = {
        "types": read.select(given.column_names).schema.types == kept.schema.types,
        "values": plain(read.select(given.column_names)).equals(plain(kept)),
        "metadata": {k.decode(): v.decode() for k, v in read.schema.metadata.items()},
        "keyValues": {k.decode(): v.decode() for k, v in meta.metadata.items() if k != b"ARROW:schema"},
        "rowGroups": meta.num_row_groups,
        "rows": meta.num_rows,
        "rowsOfGroups": sum(g.num_rows for g in groups),
        "groupsAgree": all(read.slice(0, 1).schema.equals(file.read_row_group(i).schema) for i in range(len(groups))),
        "bytesOfGroups": all(g.total_byte_size == sum(g.column(c).total_uncompressed_size for c in range(g.num_columns)) for g in groups),
        "idBounds": [[g.column(0).statistics.min, g.column(0).statistics.max] for g in groups],
        "lineageBounds": sorted({json.dumps([str(s.min) for s in row] + [str(s.max) for s in row]) for row in lineage}),
        "nulls": sum(groups[i].column(2).statistics.null_count for i in range(len(groups))),
    }
    print(json.dumps(facts))


def plain(table):
    # Equal dictionaries in another order are not equal to pyarrow.
    for name in ("category", "growing"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
    return table.replace_schema_metadata(None)


if __name__ == "__main__":
    {"make": make, "describe": describe}[sys.argv[1]](*sys.argv[2:])
