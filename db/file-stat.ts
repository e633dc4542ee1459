import type { FileStat } from "../domain/file-version.ts";

/** The columns of a stat as Postgres gives them. The inode is the signed number of the same 64 bits. */
export interface StatRow {
  readonly size_bytes: string;
  readonly mtime_ns: string;
  readonly ctime_ns: string;
  readonly inode: string;
}

export function fromStatRow(row: StatRow): FileStat {
  return {
    sizeBytes: Number(row.size_bytes),
    mtimeNs: BigInt(row.mtime_ns),
    ctimeNs: BigInt(row.ctime_ns),
    inode: BigInt.asUintN(64, BigInt(row.inode)),
  };
}

/** One array for each column, as `unnest` takes them: sizes, mtimes, ctimes, inodes. */
export function toStatArrays(
  stats: readonly FileStat[],
): readonly [readonly string[], readonly string[], readonly string[], readonly string[]] {
  return [
    stats.map((stat) => String(stat.sizeBytes)),
    stats.map((stat) => String(stat.mtimeNs)),
    stats.map((stat) => String(stat.ctimeNs)),
    stats.map((stat) => String(BigInt.asIntN(64, stat.inode))),
  ];
}
