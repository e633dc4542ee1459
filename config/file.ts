import { join } from "node:path";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { allowableKinds, gatekeeperModes } from "../domain/gatekeeper.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { closest } from "../domain/suggest.ts";
import { transportNames } from "../domain/transport.ts";
import { refuseOldFile } from "./old-file.ts";
import { readIfThere } from "./read.ts";

const port = z.int({ error: "a port from 1 to 65535" }).min(1, "a port from 1 to 65535").max(65_535, "a port from 1 to 65535");
const text = z.string({ error: "a text in quotes" }).min(1, "a text that isn't empty");
const count = z.int({ error: "a whole number above 0" }).positive("a whole number above 0");
const serviceForm = 'a URL, or "off"';
const sandboxModes = ["on", "require"] as const;
const listenForm = "tcp://ADDRESS:PORT in quotes";
const logLevels = ["debug", "info", "warn", "error"] as const;

const shape = z.strictObject({
  database: z.strictObject({ url: text, port }).partial().default({}),
  temporal: z.strictObject({ address: text, namespace: text, port, ui_port: port, ui_url: text }).partial().default({}),
  worker: z
    .strictObject({ concurrency: count, groups: z.array(text, { error: "names in a list" }), warm_memory_mb: count })
    .partial()
    .default({}),
  connections: z
    .record(z.string(), z.strictObject({ url: text, url_env: text, url_file: text, password_env: text, password_file: text }).partial())
    .default({}),
  limits: z
    .strictObject({ plugin_seconds: count, plugin_memory_mb: count, plugin_scratch_mb: count, log_bytes: count })
    .partial()
    .default({}),
  python: z
    .strictObject({
      interpreter: text,
      allow_downloads: z.boolean({ error: "true or false" }),
      allow_builds: z.boolean({ error: "true or false" }),
      environments_mb_max: count,
    })
    .partial()
    .default({}),
  plugins: z
    .strictObject({
      require_signature: z.boolean({ error: "true or false" }),
      require_comparison: z.boolean({ error: "true or false" }),
      trusted_keys: text,
      sandbox: z.enum(sandboxModes, { error: `one of ${sandboxModes.join(", ")}` }),
      gatekeeper: z.enum(gatekeeperModes, { error: `one of ${gatekeeperModes.join(", ")}` }),
      gatekeeper_allow: z.array(z.enum(allowableKinds, { error: `one of ${allowableKinds.join(", ")}` }), { error: "kinds in a list" }),
      vulnerability_service: z
        .string({ error: serviceForm })
        .refine((given) => given === "off" || /^https?:\/\/\S+$/.test(given), { error: serviceForm }),
      sign_in: z
        .strictObject({
          issuer: text,
          client_id: text,
          scopes: text,
          audience: text,
          claim: text,
          allow: z.array(text, { error: "names in a list" }).min(1, "at least one name"),
        })
        .partial(),
    })
    .partial()
    .default({}),
  bridge: z
    .strictObject({ transport: z.enum(transportNames, { error: `one of ${transportNames.join(", ")}` }) })
    .partial()
    .default({}),
  runners: z
    .strictObject({ listen: z.string({ error: listenForm }).regex(/^tcp:\/\/[^/\s:]+:(\d{1,5}|\*)$/, listenForm), trusted: text })
    .partial()
    .default({}),
  openlineage: z
    .strictObject({
      url: text,
      file: text,
      namespace: text,
      api_key_env: text,
      api_key_file: text,
      source_code: z.boolean({ error: "true or false" }),
    })
    .partial()
    .default({}),
  log: z
    .strictObject({ level: z.enum(logLevels, { error: `one of ${logLevels.join(", ")}` }) })
    .partial()
    .default({}),
});

/** The content of `casparian.toml`, in its own names. */
export type FileSettings = z.infer<typeof shape>;

export type LogLevel = (typeof logLevels)[number];

/**
 * Reads and checks `<home>/casparian.toml`; a home without one has all defaults. Throws WrongUse that names the line or the key, what was
 * found, and what would be right.
 */
export function readFileSettings(home: string): FileSettings {
  const file = join(home, "casparian.toml");
  const content = readIfThere(file);
  if (content === undefined) {
    refuseOldFile(home);
    return shape.parse({});
  }
  const document = parseToml(content, file);
  const result = shape.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw issue === undefined ? new WrongUse(`${file} can't be understood`) : explain(issue, document, file);
}

function parseToml(content: string, file: string): unknown {
  try {
    return parse(content);
  } catch (error) {
    const place = error instanceof TomlError ? `, line ${error.line}, column ${error.column}` : "";
    throw new WrongUse(`${file}${place} is not TOML: ${messageOf(error).split("\n")[0]}`);
  }
}

function explain(issue: z.core.$ZodIssue, document: unknown, file: string): WrongUse {
  if (issue.code === "unrecognized_keys") return unknownKey([...issue.path.map(String), issue.keys[0] ?? ""], file);
  const name = issue.path.join(".");
  const expected = name.includes(".") ? issue.message : `a table: [${name}]`;
  const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], document);
  return new WrongUse(`${file}: ${name} must be ${expected}, and is ${shown(value)}`);
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "string" ? safeUrl(inner) : inner));
}

function unknownKey(path: readonly string[], file: string): WrongUse {
  const table = path[0] ?? "";
  const key = path.length > 1 ? path.at(-1) : undefined;
  const siblings = key === undefined ? tables() : keysOf(table);
  const meant = closest(key ?? table, siblings);
  const elsewhere = tables().filter((other) => other !== table && keysOf(other).includes(key ?? table));
  const hint =
    elsewhere.length > 0 && meant === null
      ? `It belongs to ${elsewhere.map((other) => `[${other}]`).join(" or ")}`
      : `Known ${key === undefined ? "tables" : `keys of [${table}]`} are ${siblings.join(", ")}`;
  return new WrongUse(`${file}: unknown key ${path.join(".")}${meant === null ? "" : `, did you mean ${meant}?`}`, hint);
}

function tables(): readonly string[] {
  return Object.keys(shape.shape);
}

function keysOf(table: string): readonly string[] {
  const found = shape.shape[table as keyof FileSettings].unwrap();
  return Object.keys(found instanceof z.ZodRecord ? found.valueType.shape : found.shape);
}
