import { constants } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../domain/failure.ts";
import type { Answer, Destination, OutgoingEvent } from "./destination.ts";

/**
 * A file to which each event is appended as a line. It is opened anew each time, so it may be renamed, moved or removed at any moment. What a
 * kill or a full disk has left of a line is taken away before the next one is written: its event is sent again.
 */
export function fileDestination(path: string): Destination {
  return {
    name: path,
    async send(events): Promise<Answer> {
      try {
        await append(path, events);
        return { sent: events.map(({ id }) => id), refused: [], trouble: null };
      } catch (error) {
        const message = `${path} can't be written: ${messageOf(error)}`;
        return { sent: [], refused: [], trouble: { message, pauseSeconds: null, failed: [] } };
      }
    },
  };
}

async function append(path: string, events: readonly OutgoingEvent[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o644);
  const whole = await wholeLines(file);
  await file.truncate(whole);
  await file.appendFile(events.map(({ json }) => `${json}\n`).join(""));
  await file.sync();
  if (whole === 0) await syncFolder(dirname(path));
}

const blockBytes = 64 * 1024;

/** How far the file consists of whole lines. Bytes. */
async function wholeLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  for (let end = size; end > 0; end -= blockBytes) {
    const start = Math.max(0, end - blockBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf("\n");
    if (newline >= 0) return start + newline + 1;
  }
  return 0;
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path);
  await folder.sync();
}
