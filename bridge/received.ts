import type { ArrowMessage } from "../domain/arrow.ts";
import { lineageColumns } from "../domain/lineage.ts";
import { isOutputName } from "../domain/topic.ts";
import { BrokenProtocol, type Frame, frameKinds } from "./frames.ts";
import { MalformedMessage, type ParsedMessage, parseMessage } from "./message.ts";

/** Where a plugin's rows go. Each promise is awaited before more is read; then a message's bytes are used again, so keep a copy or nothing. */
export interface PluginHandlers {
  open(output: string, schema: ArrowMessage): Promise<void>;
  message(output: string, message: ArrowMessage): Promise<void>;
}

/** What the plugin's process says of a failure. It is untrusted, like all that it sends. */
export interface SentError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly module: string | undefined;
  readonly traceback: string | undefined;
}

/** Where the time of a plugin's process went, by its own account: to its code, and to handing its rows over. */
export interface PluginSeconds {
  readonly plugin: number;
  readonly sending: number;
}

/** What has come over the data channel so far. */
export interface Received {
  /** Takes the next frame. Throws BrokenProtocol, or whatever a handler throws. */
  take(frame: Frame): Promise<void>;
  outputs(): readonly { readonly output: string; readonly rowsSent: number }[];
  /** The plugin's side said that this was all. */
  ended(): boolean;
  /** As the plugin's side measured it; undefined before the end. */
  seconds(): PluginSeconds | undefined;
  error(): SentError | undefined;
}

interface Output {
  readonly name: string;
  opened: boolean;
  /** Read from the batches themselves. */
  rows: number;
}

const outputsMax = 256;
/** What the plugin's side cuts its batches to. */
const batchRowsMax = 65_536;

/**
 * Checks every frame against the protocol and hands on what is in order: an output is opened once, by its schema; dictionaries and batches
 * follow; the count that the plugin's side gives at the end is the count of the rows that came.
 */
export function createReceived(handlers: PluginHandlers): Received {
  const outputs: Output[] = [];
  let ended = false;
  let seconds: PluginSeconds | undefined;
  let error: SentError | undefined;

  function open(frame: Frame): void {
    const name = new TextDecoder().decode(frame.payload);
    if (frame.output !== outputs.length || outputs.length === outputsMax)
      throw new BrokenProtocol(`output number ${frame.output} is not the next`);
    if (!isOutputName(name)) throw new BrokenProtocol(`${JSON.stringify(name.slice(0, 200))} is not an output's name`);
    if (outputs.some((output) => output.name === name)) throw new BrokenProtocol(`output ${name} was opened twice`);
    outputs.push({ name, opened: false, rows: 0 });
  }

  async function message(frame: Frame): Promise<void> {
    const output = outputs[frame.output];
    if (output === undefined) throw new BrokenProtocol(`a message for output number ${frame.output}, which was not opened`);
    const parsed = parse(output, frame.payload);
    if (!output.opened) {
      checkSchema(output, parsed);
      output.opened = true;
      await handlers.open(output.name, parsed.message);
      return;
    }
    if (parsed.message.kind === "schema") throw new BrokenProtocol(`output ${output.name} has a second schema`);
    if (parsed.message.rows > batchRowsMax) throw new BrokenProtocol(`a batch of output ${output.name} has ${parsed.message.rows} rows`);
    output.rows += parsed.message.rows;
    await handlers.message(output.name, parsed.message);
  }

  function end(frame: Frame): void {
    const { rows: told, seconds: measured } = parseJson(frame);
    const rows = typeof told === "object" && told !== null ? new Map<string, unknown>(Object.entries(told)) : new Map<string, unknown>();
    for (const [number, output] of outputs.entries()) {
      if (!output.opened) throw new BrokenProtocol(`output ${output.name} has no schema`);
      if (rows.get(String(number)) !== output.rows)
        throw new BrokenProtocol(
          `output ${output.name}: the plugin's side sent ${String(rows.get(String(number)))} rows, ${output.rows} came`,
        );
    }
    if (rows.size !== outputs.length)
      throw new BrokenProtocol(`the plugin's side ends ${rows.size} outputs, ${outputs.length} were opened`);
    seconds = readSeconds(measured);
    ended = true;
  }

  async function take(frame: Frame): Promise<void> {
    if (ended || error !== undefined) throw new BrokenProtocol("a frame came after the end");
    if (frame.kind === frameKinds.open) open(frame);
    else if (frame.kind === frameKinds.message) await message(frame);
    else if (frame.kind === frameKinds.end) end(frame);
    else if (frame.kind === frameKinds.error) error = readError(frame);
    else throw new BrokenProtocol(`there is no frame of kind ${frame.kind}`);
  }

  return {
    take,
    outputs: () => outputs.map((output) => ({ output: output.name, rowsSent: output.rows })),
    ended: () => ended,
    seconds: () => seconds,
    error: () => error,
  };
}

function parse(output: Output, payload: Uint8Array): ParsedMessage {
  try {
    return parseMessage(payload);
  } catch (error) {
    if (error instanceof MalformedMessage) throw new BrokenProtocol(`a message of output ${output.name} is malformed: ${error.message}`);
    throw error;
  }
}

function checkSchema(output: Output, { message, columns }: ParsedMessage): void {
  if (message.kind !== "schema") throw new BrokenProtocol(`output ${output.name} does not begin with its schema`);
  if (new Set(columns).size < columns.length) throw new BrokenProtocol(`output ${output.name} has two columns of one name`);
  const lineage = lineageColumns.find((column) => columns.includes(column));
  if (lineage !== undefined) throw new BrokenProtocol(`output ${output.name} has a column ${lineage}`);
}

function readSeconds(told: unknown): PluginSeconds | undefined {
  const { plugin, sending } = (told ?? {}) as Readonly<Record<string, unknown>>;
  const isSpan = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;
  return isSpan(plugin) && isSpan(sending) ? { plugin, sending } : undefined;
}

function readError(frame: Frame): SentError {
  const sent = parseJson(frame);
  const text = (key: string) => (typeof sent[key] === "string" ? sent[key].replaceAll("\0", "�") : undefined);
  return {
    code: text("code") ?? "PLUGIN_RAISED",
    message: text("message") ?? "the plugin failed",
    hint: text("hint"),
    module: text("module"),
    traceback: text("traceback"),
  };
}

function parseJson(frame: Frame): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(frame.payload));
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new BrokenProtocol(`a frame of kind ${frame.kind} is not a JSON object`);
}
