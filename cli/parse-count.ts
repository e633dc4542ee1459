import { InvalidArgumentError } from "commander";

const countMax = 1_000_000;

/** A whole number from 1 to 1,000,000, for an option such as `--limit`. */
export function parseCount(text: string): number {
  const amount = Number(text);
  if (!/^\d{1,7}$/.test(text) || amount < 1 || amount > countMax)
    throw new InvalidArgumentError(`Give a whole number from 1 to ${countMax}.`);
  return amount;
}

/** What to say where a list ends at a limit that `parseCount` took. */
export function moreThan(limit: number): string {
  return `There are more: --limit ${Math.min(10 * limit, countMax)}`;
}
