import { WrongUse } from "./failure.ts";

/** Throws WrongUse for what can't be a name: names become parts of Temporal's ids, and of files' names. */
export function requireName(text: string, what: "a source" | "a group of workers" | "a key" | "a runner"): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(text)) return;
  throw new WrongUse(`"${text}" can't be the name of ${what}`, "Use letters, digits, _, - and ., 63 at most, with a letter or digit first");
}
