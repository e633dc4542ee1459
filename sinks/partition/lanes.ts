/** So many files are worked on side by side. */
const lanesMax = 16;

/** Does something for each of many, a few at once; the answers are in the order of the many. */
export async function inLanes<T, R>(many: readonly T[], work: (one: T) => Promise<R>): Promise<readonly R[]> {
  const answers: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < many.length; index = next++) answers[index] = await work(many[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(lanesMax, many.length) }, lane));
  return answers;
}
