/**
 * What a generator yields, for `for await`: it closes the generator when the loop is left early, so that its thread is free again whatever
 * failed. What it returns goes to `onEnd`.
 */
export async function* chunksOf<Chunk, End>(work: AsyncGenerator<Chunk, End>, onEnd: (end: End) => void): AsyncGenerator<Chunk, void> {
  onEnd(yield* work);
}
