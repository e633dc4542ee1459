import { expect, test } from "vitest";
import { measurePace } from "../../domain/scan-progress.ts";

test("the pace is that of the present step", () => {
  let nowMs = 1_000;
  const pace = measurePace(() => nowMs);
  const nothing = { filesToHash: 0, filesHashed: 0, bytesHashed: 0 };
  expect(pace({ step: "walk", filesSeen: 500, ...nothing })).toMatchObject({ filesSeen: 500, filesPerSecond: 0 });
  nowMs += 2_000;
  expect(pace({ step: "walk", filesSeen: 60_000, ...nothing })).toMatchObject({ filesPerSecond: 30_000, bytesPerSecond: 0 });
  const hashing = { step: "hash", filesSeen: 60_000, filesToHash: 100 } as const;
  pace({ ...hashing, filesHashed: 0, bytesHashed: 0 });
  nowMs += 500;
  expect(pace({ ...hashing, filesHashed: 20, bytesHashed: 4_000 })).toMatchObject({ filesPerSecond: 40, bytesPerSecond: 8_000 });
});
