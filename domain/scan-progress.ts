/** How far a scan is. */
export interface ScanProgress {
  readonly step: "walk" | "compare" | "hash" | "archives";
  readonly filesSeen: number;
  /** Known once everything was compared. */
  readonly filesToHash: number;
  /** While archives are opened, their members. */
  readonly filesHashed: number;
  readonly bytesHashed: number;
}

/** The same with how fast it goes: what a scan's heartbeats tell. */
export interface ScanPace extends ScanProgress {
  /** Seen while it walks, hashed while it hashes; since that step began. */
  readonly filesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Measures the pace of each step. `nowMs` counts milliseconds from anywhere. */
export function measurePace(nowMs: () => number): (progress: ScanProgress) => ScanPace {
  let step: ScanProgress["step"] | undefined;
  let sinceMs = 0;
  return (progress) => {
    if (progress.step !== step) [step, sinceMs] = [progress.step, nowMs()];
    const seconds = (nowMs() - sinceMs) / 1000;
    const perSecond = (amount: number): number => (seconds > 0 ? Math.round(amount / seconds) : 0);
    return {
      ...progress,
      filesPerSecond: perSecond(progress.step === "walk" || progress.step === "compare" ? progress.filesSeen : progress.filesHashed),
      bytesPerSecond: perSecond(progress.bytesHashed),
    };
  };
}
