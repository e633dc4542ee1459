/**
 * The text form of rows of the temporary table `cf_scan_seen`, as `COPY … FROM STDIN` takes them. Its columns are in
 * `db/scan-difference.ts`.
 */

/** Size in bytes, times in nanoseconds; the inode as the signed number of the same 64 bits. */
export function seenFileLine(relPath: string, sizeBytes: bigint, mtimeNs: bigint, ctimeNs: bigint, inode: bigint): string {
  return `${escape(relPath)}\t${sizeBytes}\t${mtimeNs}\t${ctimeNs}\t${BigInt.asIntN(64, inode)}\t\\N\t\\N\n`;
}

export function seenFindingLine(relPath: string, finding: string, message: string): string {
  return `${escape(relPath)}\t\\N\t\\N\t\\N\t\\N\t${finding}\t${escape(message)}\n`;
}

const special = /[\\\n\r\t]/;
const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escape(text: string): string {
  return special.test(text) ? text.replaceAll(/[\\\n\r\t]/g, (character) => escapes[character] ?? character) : text;
}
