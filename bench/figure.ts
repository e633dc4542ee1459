/** One measured figure, with what it was compared with in the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What is to be reached, in the same unit. */
  readonly target?: number;
  readonly targetIs?: "at least" | "at most";
  /** How many times as fast as what stands beside it. */
  readonly ratio?: number;
  readonly beside?: string;
}

/** A line for people. */
export function formatFigure({ name, value, unit, target, targetIs = "at least", ratio, beside }: Figure): string {
  const parts = [`${name}: ${round(value)} ${unit}`];
  if (target !== undefined) parts.push(`(to reach: ${targetIs} ${target})`);
  if (ratio !== undefined) parts.push(`— ${round(ratio)} times as fast as ${beside}`);
  return parts.join(" ");
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
