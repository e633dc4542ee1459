/** A format that is known by how it begins, and the example plugin that reads it. */
export interface KnownFormat {
  readonly name: string;
  /** Beginnings of the example's name. */
  readonly example: string;
}

const texts: readonly (readonly [pattern: RegExp, name: string, example: string])[] = [
  // A byte of 01, or what stands for it in logs, divides its fields.
  [/(?:^|[\s:])8=FIXT?\.\d\.\d[^\w.]/m, "FIX messages", "fix"],
  [/^MSH\|\^~\\&/m, "HL7 v2 messages", "hl7"],
  [/^\s*ISA[^A-Za-z0-9\s].{2}[^A-Za-z0-9\s]/, "EDI X12", "x12"],
  [/^\S+ \S+ \S+ \[\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] "/m, "a web server's access log", "web_log"],
  [/^(?:<\d{1,3}>1? ?)?[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \S+ \S+/m, "a syslog", "syslog"],
  [/^<\d{1,3}>1 \d{4}-\d{2}-\d{2}T/m, "a syslog (RFC 5424)", "syslog"],
];

export function knownText(text: string): KnownFormat | null {
  const head = text.slice(0, 16_384);
  const found = texts.find(([pattern]) => pattern.test(head));
  return found === undefined ? null : { name: found[1], example: found[2] };
}

export function knownBytes(bytes: Buffer): KnownFormat | null {
  return bytes.subarray(0, 8).toString("latin1") === "ElfFile\0" ? { name: "a Windows event log", example: "evtx" } : null;
}
