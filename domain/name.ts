/** Whether the text can name a source or a group of workers: it becomes part of Temporal's ids. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(text);
}

export const nameHint = "Use letters, digits, _, - and ., 63 at most, with a letter or digit first";
