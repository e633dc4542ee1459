/**
 * How long and how often a test looks whether something has come about, in milliseconds. As long as the slowest machine may need, and below the
 * guard of a whole test, so that what was waited for is told.
 */
export const patience = { timeout: 120_000, interval: 20 } as const;
