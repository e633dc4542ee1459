/** What a run leaves to chance, which the same seed leaves to it in the same way. */

/** Whole numbers below `limit`, the same for each seed. Source: Numerical Recipes' linear congruential generator. */
export function numbersFrom(start: number): (limit: number) => number {
  let state = start >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

export function shuffled<T>(items: readonly T[], random: (limit: number) => number): readonly T[] {
  return items
    .map((item) => ({ item, at: random(2 ** 20) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
