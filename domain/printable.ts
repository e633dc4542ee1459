/**
 * The text with control characters spelled out, because a file's name or a plugin's output may hold what changes a terminal. Line
 * ends and tabs stay when `keepLines` is set.
 */
export function printable(text: string, options: { readonly keepLines?: boolean } = {}): string {
  // eslint-disable-next-line no-control-regex -- they are what this looks for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    if (options.keepLines === true && (character === "\n" || character === "\t")) return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
