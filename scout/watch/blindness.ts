import { statfs } from "node:fs/promises";

/** File systems on which changes come from elsewhere, or from the kernel, so that inotify sees none of them. Numbers of Linux's `statfs`. */
const blind: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  // Mostly shares, as sshfs and rclone; a local one (ntfs-3g) has the same number.
  [0x65735546, "FUSE"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x19830326, "BeeGFS"],
  [0x47504653, "GPFS"],
  [0x01161970, "GFS2"],
  [0x7461636f, "OCFS2"],
  [0x786f4256, "VirtualBox shared folders"],
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
]);

/** The name of a file system on which nothing can be watched; null for all others. */
export function blindFileSystem(type: number): string | null {
  // Node gives a long, whose sign depends on the machine.
  return blind.get(type >>> 0) ?? null;
}

/** The name of the file system that a folder is on if nothing can be watched there. Shares that are mounted further below are not noticed. */
export async function findBlindness(folder: string): Promise<string | null> {
  if (process.platform !== "linux") return null;
  return blindFileSystem((await statfs(folder)).type);
}
