/** A small table as vendors send it: `rows` lines with a header, different for each seed. */
export function sampleCsv(rows: number, seed: number): string {
  const lines = ["id,symbol,price,quantity,traded_at"];
  for (let row = 0; row < rows; row += 1) {
    const n = seed * rows + row;
    lines.push(`${n},SYM${n % 97},${(n % 10_000) / 100},${(n * 7) % 1000},2026-01-${String((n % 28) + 1).padStart(2, "0")}T10:00:00`);
  }
  return `${lines.join("\n")}\n`;
}

/** The plugin of the benches, in the form of the README. */
export const sampleHandler = `import pandas as pd
import pyarrow as pa


class Handler:
    def execute(self, file_path: str):
        yield pa.Table.from_pandas(pd.read_csv(file_path))
`;

/** The same with pyarrow's reader, for large files. */
export const arrowHandler = `from pyarrow import csv


class Handler:
    def execute(self, file_path: str):
        yield csv.read_csv(file_path)
`;
