"""Reads what is visible in the targets of the fault test: Parquet with pyarrow, text and DuckDB with DuckDB, Postgres with psycopg.

`read HOME` prints all of it once. `watch HOME` reads over and over until its input ends, and prints each result that isn't what was put: what
may be seen of a content is told by a line of `expected.jsonl`, written before the content is.
"""

import json
import sys
import threading
import time
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

LINEAGE = ["_cf_file_version_id", "_cf_job_id", "_cf_source_hash"]
COUNTED = "count(*), sum(id)::bigint, min(breach), max(breach)"
AGGREGATES = [("id", "count"), ("id", "sum"), ("breach", "min"), ("breach", "max")]
NAMES = ["target", "version", "job", "hash", "rows", "sum", "breachMin", "breachMax"]


class Unreachable(Exception):
    """A target can't be read now: its server is down, its file is held by the product."""


def parquet(folder):
    return [row for path in folder.glob("*.parquet") if (table := load(path)) is not None for row in results_of(table)]


def partitioned(folder):
    """A folder for each result. Of a file that has gone since the folder was listed a reader is told, and reads again."""
    found = []
    for result in folder.glob("cf_result=*"):
        tables = [None]
        while any(table is None for table in tables):
            tables = [load(path) for path in list(result.rglob("*.parquet"))]
        found += results_of(pa.concat_tables(tables)) if tables else []
    return found


def load(path):
    """Opened once, because a name may go to another result."""
    try:
        with path.open("rb") as file:
            return pq.ParquetFile(file).read(columns=[*LINEAGE, "id", "breach"])
    except FileNotFoundError:
        return None


def results_of(table):
    found = table.group_by(LINEAGE).aggregate(AGGREGATES).select([*LINEAGE, *(f"{c}_{how}" for c, how in AGGREGATES)])
    return [tuple(row.values()) for row in found.to_pylist()]


def text(folder, reader):
    found = []
    query = f"select {', '.join(LINEAGE)}, {COUNTED} from {reader} group by all"
    for path in folder.glob("*.*"):
        try:
            with path.open("rb") as file:
                found += duckdb.execute(query, [f"/proc/self/fd/{file.fileno()}"]).fetchall()
        except FileNotFoundError:
            continue
    return found


def lake(path):
    if not path.exists():
        return []
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.IOException as error:
        raise Unreachable from error
    with connection:
        if not connection.execute("from duckdb_tables() where table_name = 'lake'").fetchall():
            return []
        return connection.execute(f"select {', '.join(LINEAGE)}, {COUNTED} from lake group by all").fetchall()


def table(home, name):
    url = (home / "target-url").read_text()
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            if connection.execute("select to_regclass(%s)", [name]).fetchone()[0] is None:
                return []
            return connection.execute(f"select {', '.join(LINEAGE)}, {COUNTED} from {name} group by 1, 2, 3").fetchall()
    except psycopg.OperationalError as error:
        raise Unreachable from error


# Told the columns, DuckDB looks at a file once, and takes a tenth of the time.
COLUMNS = ["id bigint", "amount bigint", "part varchar", "breach varchar", "_cf_source_hash varchar", "_cf_job_id bigint"]
COLUMNS += ["_cf_file_version_id bigint", "_cf_processed_at timestamptz", "_cf_plugin_version varchar"]
TYPES = "columns = {" + ", ".join("{}: '{}'".format(*column.split()) for column in COLUMNS) + "}"
CSV = f"read_csv(?, auto_detect = false, header = true, {TYPES})"
JSON_LINES = f"read_json(?, format = 'newline_delimited', {TYPES})"

READERS = {
    "kept": lambda home: parquet(home / "output/kept"),
    "notes": lambda home: text(home / "output/notes", CSV),
    "ledger": lambda home: table(home, "ledger"),
    "latest": lambda home: parquet(home / "output/latest"),
    "parted": lambda home: partitioned(home / "output/parted"),
    "events": lambda home: text(home / "output/events", JSON_LINES),
    "prices": lambda home: table(home, "prices"),
    "lake": lambda home: lake(home / "output/lake.duckdb"),
}


def read(home, target):
    return [result(target, *row) for row in READERS[target](home)]


def read_patiently(home, target):
    for _ in range(60):
        try:
            return read(home, target)
        except Unreachable as error:
            reason = error
            time.sleep(1)
    raise reason


def result(target, version, job, content, rows, total, *breaches):
    """As the record writes them: ids as text."""
    return dict(zip(NAMES, [target, str(version), str(job), content, rows, total, *breaches], strict=True))


def expected(home):
    lines = map(json.loads, (home / "expected.jsonl").read_text().splitlines())
    return {line["hash"]: line for line in lines}


def faults(results, known):
    """What no reader may ever see, of one reading of one target."""
    seen = {}
    for result in results:
        put = known.get(result["hash"])
        due = put and put["due"].get(result["target"])
        if due is None or any(result[name] != due[name] for name in ["rows", "sum"]):
            yield {"fault": "a result that is not what was put", "result": result, "put": put}
        elif not put["keepsAll"]:
            before = seen.setdefault(put["file"], result)
            if before is not result:
                yield {"fault": "two results of a file whose newest takes the place of others", "results": [before, result]}


def watch(home):
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    passes = dict.fromkeys(READERS, 0)
    took = 0
    # Most of the time is the product's.
    while not ended.wait(max(0.5, 2 * took)):
        began = time.monotonic()
        for target in READERS:
            try:
                results = read(home, target)
            except Unreachable:
                continue
            passes[target] += bool(results)
            for fault in faults(results, expected(home)):
                print(json.dumps(fault), flush=True)
        took = time.monotonic() - began
    print(json.dumps({"passes": passes}))


if __name__ == "__main__":
    mode, home = sys.argv[1], Path(sys.argv[2])
    if mode == "watch":
        watch(home)
    else:
        print(json.dumps([found for target in READERS for found in read_patiently(home, target)]))
