/** The two forms of plugin of the product's documents, and others that tests of the whole need. */
export const csvPlugin = `import pandas as pd
import pyarrow as pa

MANIFEST = {
    "pattern": "*.csv",
    "topic": "output",
}

class Handler:
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        yield pa.Table.from_pandas(df)
`;

/** Reads a CSV file as well, by what loads in a third of pandas' time: for tests of the many plugins, each of which has a warm parent. */
export const tablePlugin = `import pyarrow.csv

class Handler:
    def execute(self, file_path: str):
        yield pyarrow.csv.read_csv(file_path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
`;

/** Reads all columns as texts, whatever is in them; an empty one is null. */
export const textPlugin = `import csv
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        with open(file_path, newline="") as file:
            names, *rows = csv.reader(file)
        columns = [pa.array([row[n] or None for row in rows], pa.string()) for n in range(len(names))]
        yield pa.table(columns, names=names)
`;

/** The same, and makes 2 of every 20. */
export const mendedPlugin = textPlugin.replace("row[n] or None", "{'20': '2'}.get(row[n], row[n]) or None");

export const oldSdkPlugin = `from casparian_flow.sdk import BasePlugin
from typing import Dict, Any
import pandas as pd

class Handler(BasePlugin):
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        self.publish('topic_name', df)
`;

/** Yields half of the rows, takes so many seconds, yields the rest. */
export function slowPlugin(seconds: number): string {
  return `import time
import pandas as pd

MANIFEST = {"pattern": "*.csv", "topic": "slow"}

class Handler:
    def execute(self, file_path):
        df = pd.read_csv(file_path)
        half = len(df) // 2
        yield df[:half]
        time.sleep(${seconds})
        yield df[half:]
`;
}

export const failingPlugin = `import pandas as pd

MANIFEST = {"pattern": "*.txt", "topic": "never"}

class Handler:
    def execute(self, file_path):
        yield pd.DataFrame({"n": [1, 2, 3]})
        print("about to fail")
        raise ValueError("line 7 has 3 fields, 5 were expected")
`;

export function csv(rows: number, seed = 0): string {
  const lines = Array.from({ length: rows }, (_, n) => `${seed * 1000 + n},name ${n},${(n * 7) / 4}`);
  return `id,name,amount\n${lines.join("\n")}\n`;
}
