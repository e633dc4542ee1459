/** The candidate that a person most likely meant; null where none is near. Ignores letter case. */
export function closest(word: string, candidates: Iterable<string>): string | null {
  const wanted = word.toLowerCase();
  // A third of the letters may be wrong, which finds typing errors and leaves other words alone.
  let best: string | null = null;
  let distanceMax = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < distanceMax) [best, distanceMax] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swapped neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      current[j] = Math.min(last[j]! + 1, current[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) current[j] = Math.min(current[j]!, beforeLast[j - 2]! + 1);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length]!;
}
