/** A text as Python writes it. */
export function literal(text: string): string {
  // JSON's escapes are Python's, and what JSON leaves as it is Python reads as UTF-8.
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function list(texts: readonly string[]): string {
  return `[${texts.map(literal).join(", ")}]`;
}

/** In a comment or docstring: one line, with nothing that could end it. */
export function comment(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("\\", "/").replaceAll('"""', "'''").trim();
}

/** Each line set in, but for empty ones. */
export function indent(lines: readonly string[], spaces: number): readonly string[] {
  return lines.map((line) => (line === "" ? "" : " ".repeat(spaces) + line));
}
