import { InvalidArgumentError, Option, type Command } from "commander";
import type { Source, SourceSettings } from "../control/find-source.ts";
import { bytes, duration } from "./format.ts";
import { orNone, parseDuration, parsePriority, parseSize } from "./quantity.ts";

/** What commander makes of the options below; those that were not given are undefined. */
export interface SettingOptions {
  readonly settle?: number;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly watch?: SourceSettings["watch"];
  readonly every?: number | null;
  readonly cron?: string | null;
  readonly jitter?: number;
  readonly minSize?: number;
  readonly maxSize?: number | null;
  readonly maxAge?: number | null;
  readonly priority?: number;
  readonly workers?: string | null;
  readonly archives?: boolean;
  readonly snapshots?: boolean;
  readonly keepAge?: number | null;
  readonly keepCount?: number | null;
  readonly keepSize?: number | null;
}

const text = (value: string): string => value;

/** Adds an option for each thing that can be chosen for a source. `none` takes a limit away. */
export function withSettingOptions(command: Command): Command {
  return command
    .option("--settle <time>", "how long a file must not have changed before it is taken (default: 2s)", parseDuration)
    .option("--include <globs...>", "take only files that match")
    .option("--exclude <globs...>", "leave out files and folders that match")
    .option("--min-size <size>", "leave out smaller files", parseSize)
    .option("--max-size <size>", "leave out larger files", orNone(parseSize))
    .option("--max-age <time>", "leave out files that were modified longer ago", orNone(parseDuration))
    .option("--every <time>", "scan the whole folder so often, beside watching it (default: 5m)", orNone(parseDuration))
    .option(
      "--cron <expression>",
      'scan the whole folder at these times (UTC) instead: "0 6 * * 1-5", "CRON_TZ=Europe/Berlin 0 6 * * *"',
      orNone(text),
    )
    .option("--jitter <time>", "begin scheduled scans up to so long later", parseDuration)
    .addOption(
      new Option("--watch <how>", "how changes are noticed between scans (default: auto)").choices(["auto", "chokidar", "native", "off"]),
    )
    .option("--priority <number>", "higher goes first; 0 unless given", parsePriority)
    .option("--workers <group>", "scan and process it only on workers of this group: casparian worker --group", orNone(text))
    .option("--archives", "take the members of .zip, .gz and .tar.gz as files of their own")
    .option("--no-archives", "take archives as they are (default)")
    .option("--snapshots", "keep a copy of each version's content")
    .option("--no-snapshots", "keep no copies (default)")
    .option("--keep-age <time>", "remove copies so long after their version was replaced or deleted", orNone(parseDuration))
    .option("--keep-count <number>", "keep copies of so many versions of each file", orNone(parseNumber))
    .option("--keep-size <size>", "keep at most so much in all; copies of present contents go last", orNone(parseSize));
}

function parseNumber(value: string): number {
  const amount = Number(value);
  if (!/^\d{1,9}$/.test(value) || amount < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return amount;
}

/** The settings that were given. An interval takes the place of a cron expression, and the other way round. */
export function chosenSettings(given: SettingOptions): Partial<SourceSettings> {
  // Where a parser returns null, which is what "none" means here, commander makes an empty text of it.
  const options = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value === "" ? null : value])) as SettingOptions;
  const chosen: Partial<Record<keyof SourceSettings, unknown>> = {
    settleMs: options.settle,
    include: options.include,
    exclude: options.exclude,
    watch: options.watch,
    everyMs: options.every ?? (typeof options.cron === "string" ? null : options.every),
    cron: options.cron ?? (typeof options.every === "number" ? null : options.cron),
    jitterMs: options.jitter,
    sizeBytesMin: options.minSize,
    sizeBytesMax: options.maxSize,
    ageMsMax: options.maxAge,
    priority: options.priority,
    workerGroup: options.workers,
    archives: options.archives,
    snapshots: options.snapshots,
    snapshotAgeMsMax: options.keepAge,
    snapshotCountMax: options.keepCount,
    snapshotBytesMax: options.keepSize,
  };
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined)) as Partial<SourceSettings>;
}

/** Each setting in words, for `source show`. */
export function describeSettings(source: Source): readonly (readonly [string, string])[] {
  const span = (ms: number): string => duration(ms / 1000);
  const list = (globs: readonly string[], none: string): string => (globs.length === 0 ? none : globs.join(", "));
  const kept = [
    source.snapshotAgeMsMax === null ? null : `${span(source.snapshotAgeMsMax)} beyond their replacement`,
    source.snapshotCountMax === null ? null : `${source.snapshotCountMax} of each file at most`,
    source.snapshotBytesMax === null ? null : `${bytes(source.snapshotBytesMax)} in all at most`,
  ].filter((limit) => limit !== null);
  return [
    ["settle time", span(source.settleMs)],
    ["include", list(source.include, "all files")],
    ["exclude", list(source.exclude, "nothing")],
    ["sizes", `${bytes(source.sizeBytesMin)} to ${source.sizeBytesMax === null ? "any" : bytes(source.sizeBytesMax)}`],
    ["modified", source.ageMsMax === null ? "any time ago" : `within ${span(source.ageMsMax)}`],
    ["scanned", describeSchedule(source)],
    ["watched", source.watch],
    ["priority", String(source.priority)],
    ["workers", source.workerGroup ?? "any"],
    ["archives", source.archives ? "members are files of their own" : "taken as they are"],
    ["snapshots", source.snapshots ? `kept${kept.length === 0 ? "" : `, ${kept.join(", ")}`}` : "none"],
  ];
}

/** `every 5 min`, `by cron 0 6 * * *`, `on request`. */
function describeSchedule({ everyMs, cron, jitterMs }: Pick<SourceSettings, "everyMs" | "cron" | "jitterMs">): string {
  const jitter = jitterMs === 0 ? "" : `, up to ${duration(jitterMs / 1000)} later`;
  if (everyMs !== null) return `every ${duration(everyMs / 1000)}${jitter}`;
  return cron === null ? "on request" : `by cron ${cron}${jitter}`;
}
