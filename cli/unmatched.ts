import type { Grouping, UnmatchedMap } from "../control/map-unmatched.ts";
import { bytes, count, number, relativeTime } from "./format.ts";
import { renderTable, type Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

interface Row {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  readonly newestAt: Date | null;
  readonly share: string;
}

const titles: Readonly<Record<Grouping, string>> = { extension: "EXTENSION", folder: "FOLDER", size: "SIZE", age: "MODIFIED" };

/** The files that no plugin takes, in groups, and what to do about them. */
export function describeMap(terminal: Terminal, map: UnmatchedMap): string {
  if (map.present === 0) return "No file on record. casparian scan looks for some";
  if (map.files === 0) return `Every one of ${count(map.present, "file")} goes to a plugin.`;
  const verb = map.files === 1 ? "goes" : "go";
  const blocks = [`${number(map.files)} of ${count(map.present, "file")} ${verb} to no plugin (${bytes(map.bytes)})`];
  for (const [grouping, { groups, others }] of Object.entries(map.by)) {
    const share = (files: number): string => `${Math.round((files / map.files) * 100)} %`;
    const rows: Row[] = groups.map((group) => ({ ...group, name: group.name === "" ? "(none)" : group.name, share: share(group.files) }));
    if (others.files > 0) rows.push({ name: "(others)", ...others, newestAt: null, share: share(others.files) });
    blocks.push(renderTable(terminal, columnsOf(titles[grouping as Grouping]), rows));
  }
  if (map.suggestions.length > 0) {
    const lines = map.suggestions.map(({ files, reason, command }) => `  ${command}\n    ${count(files, "file")}: ${reason}`);
    blocks.push(["What to do:", ...lines].join("\n"));
  }
  return blocks.join("\n\n");
}

function columnsOf(title: string): readonly Column<Row>[] {
  return [
    { title, value: ({ name }) => name, shorten: "middle" },
    { title: "FILES", value: ({ files }) => number(files), align: "right" },
    { title: "SHARE", value: ({ share }) => share, align: "right" },
    { title: "BYTES", value: (row) => bytes(row.bytes), align: "right" },
    { title: "NEWEST", value: ({ newestAt }) => relativeTime(newestAt) },
  ];
}
