import { appendFile, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../support/sha256.ts";

/** What is put in, and what is to come out of it: told by the contents themselves, not by the product. */

export type Plugin = keyof typeof plugins;
export type Target = keyof typeof targets;

/** Each takes files of its own, and gives all rows of a file to each of its targets. */
export const plugins = {
  arrivals: { mode: "append", ofEachWave: 10 },
  newest: { mode: "replace", ofEachWave: 10 },
  lake: { mode: "replace", ofEachWave: 5 },
} as const;

/** An output is called like its target. */
export const targets = {
  kept: { plugin: "arrivals", uri: "parquet://output/kept", hasContract: false },
  notes: { plugin: "arrivals", uri: "csv://output/notes", hasContract: false },
  ledger: { plugin: "arrivals", uri: "postgres://target/public.ledger", hasContract: true },
  latest: { plugin: "newest", uri: "parquet://output/latest", hasContract: false },
  parted: { plugin: "newest", uri: "parquet://output/parted?partition=part", hasContract: false },
  events: { plugin: "newest", uri: "jsonl://output/events", hasContract: true },
  prices: { plugin: "newest", uri: "postgres://target/public.prices", hasContract: false },
  lake: { plugin: "lake", uri: "duckdb://output/lake.duckdb?table=lake", hasContract: false },
} as const;

export const pluginNames = Object.keys(plugins) as readonly Plugin[];
export const targetNames = Object.keys(targets) as readonly Target[];
export const targetsOf = (plugin: Plugin): readonly Target[] => targetNames.filter((target) => targets[target].plugin === plugin);

/** What one target is to show of a content: rows, the sum of their ids, and how many rows its contract refuses. */
export interface Due {
  readonly rows: number;
  readonly sum: number;
  readonly refused: number;
}

/** A content that was put into the inbox. */
export interface Put {
  readonly plugin: Plugin;
  readonly file: string;
  readonly hash: string;
  readonly due: Readonly<Partial<Record<Target, Due>>>;
  /** Whether its rows stay when the file changes. */
  readonly keepsAll: boolean;
}

/** Yields in pieces what it reads, and with it what it could get at that is not for plugins. */
export function sourceOf(plugin: Plugin, probe: { readonly home: string; readonly port: number; readonly secret: string }): string {
  return `import csv
import os
import socket
import pyarrow as pa

MANIFEST = {"pattern": "${plugin}_*.csv", "topic": "${targetsOf(plugin)[0]}"}


def breaches(file_path):
    def environment():
        if not any(name == "${probe.secret}" or "PASSWORD" in name or name.startswith("CASPARIAN") for name in os.environ):
            raise OSError("nothing there")

    attempts = {
        "password": lambda: open("${probe.home}/target-url").read(),
        "secrets": lambda: open("${probe.home}/.casparian/secrets.json").read(),
        "neighbours": lambda: os.listdir(os.path.dirname(file_path)),
        "database": lambda: socket.create_connection(("127.0.0.1", ${probe.port}), 1),
        "environment": environment,
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            yield name
        except OSError:
            pass


class Handler:
    def execute(self, file_path):
        breach = " ".join(breaches(file_path)) or "none"
        with open(file_path, newline="") as lines:
            rows = [{"id": int(line["id"]), "amount": int(line["amount"]), "part": "abc"[int(line["id"]) % 3], "breach": breach}
                    for line in csv.DictReader(lines)]
        for first in range(0, len(rows), 40):
            piece = pa.Table.from_pylist(rows[first : first + 40])
            for output in ${JSON.stringify(targetsOf(plugin))}:
                yield output, piece
`;
}

export const contract = `policy = "quarantine"
columns = [
  { name = "id", type = "int64", nullable = false },
  { name = "amount", type = "int64", min = 0 },
  { name = "part", type = "string" },
  { name = "breach", type = "string" },
]
`;

/** Puts contents into the inbox, and keeps account of them where readers find it. */
export async function createLoad(home: string, inbox: string) {
  const puts: Put[] = [];
  const incoming = join(home, "incoming");
  await mkdir(incoming);
  await writeFile(join(home, "expected.jsonl"), "");
  return {
    puts,
    /** The next content of a file, as a whole. No two contents are alike. */
    async put(plugin: Plugin, number: number): Promise<void> {
      const file = fileOf(plugin, number);
      const first = 10_000 * puts.length;
      const before = puts.filter((put) => put.file === file).length;
      const count = 1 + ((number * 7 + before * 13) % 60) + before * 50 + (number % 10 === 0 ? 2_000 : 0);
      const ids = Array.from({ length: count }, (_, line) => first + line);
      const isRefused = (id: number): boolean => number % 3 > 0 && (id - first) % 9 === 4;
      const content = `id,amount\n${ids.map((id) => `${id},${isRefused(id) ? -1 : id % 7}\n`).join("")}`;
      const dueIn = (target: Target): Due => {
        const good = targets[target].hasContract ? ids.filter((id) => !isRefused(id)) : ids;
        return { rows: good.length, sum: good.reduce((total, id) => total + id, 0), refused: ids.length - good.length };
      };
      const due = Object.fromEntries(targetsOf(plugin).map((target) => [target, dueIn(target)]));
      const put: Put = { plugin, file, hash: sha256(content), due, keepsAll: plugins[plugin].mode === "append" };
      puts.push(put);
      await appendFile(join(home, "expected.jsonl"), `${JSON.stringify(put)}\n`);
      await writeFile(join(incoming, file), content);
      await rename(join(incoming, file), join(inbox, file));
    },
  };
}

export type Load = Awaited<ReturnType<typeof createLoad>>;

export function fileOf(plugin: Plugin, number: number): string {
  return `${plugin}_${number}.csv`;
}
