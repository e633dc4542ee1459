import { InvalidArgumentError } from "commander";

/** A whole number from 1 to 1,000,000, for an option such as `--limit`. */
export function parseCount(text: string): number {
  const amount = Number(text);
  if (!/^\d{1,7}$/.test(text) || amount < 1 || amount > 1_000_000) throw new InvalidArgumentError("Give a whole number from 1 to 1000000.");
  return amount;
}
