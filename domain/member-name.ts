/** Why a member is not taken, though its archive is. */
export interface MemberRefusal {
  /** Such as `MEMBER_NAME_UNSAFE`, for a finding. */
  readonly kind: string;
  /** One sentence without a full stop. */
  readonly message: string;
}

export type CheckedName = { readonly name: string; readonly refusal: null } | { readonly name: string; readonly refusal: MemberRefusal };

/** Bytes; of a whole name, and of its last part, which becomes a file's name. */
const nameBytesMax = 4_096;
const partBytesMax = 255;
const shownLengthMax = 200;

/**
 * The name under which a member is recorded: without `./` and doubled slashes. A name that would mean a place outside of its archive on
 * any system is refused; then `name` is a form of it that can be shown.
 */
export function checkMemberName(given: string): CheckedName {
  const name = given
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  const problem = problemOf(given, name);
  return problem === null ? { name, refusal: null } : { name: showName(given), refusal: { kind: "MEMBER_NAME_UNSAFE", message: problem } };
}

/** A name of bytes that are no text, with the bytes that are not ASCII as `\xe9`. */
export function checkUndecodable(bytes: Uint8Array): CheckedName {
  const shown = [...bytes.subarray(0, shownLengthMax)].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`));
  const message = "its name is not valid UTF-8, so the record can't hold it; pack it again under another name";
  return { name: showName(shown.join("")), refusal: { kind: "MEMBER_NAME_NOT_UTF8", message } };
}

function problemOf(given: string, name: string): string | null {
  if (name === "") return "it has no name";
  if (given.includes("\0")) return "its name holds a NUL byte";
  if (given.startsWith("/")) return "its name is an absolute path";
  if (/^[A-Za-z]:/.test(given)) return "its name begins with a drive letter";
  if (given.includes("\\")) return "its name holds a backslash, which is a separator on some systems and part of a name on others";
  if (name.split("/").includes("..")) return "its name leads out of the archive by ..";
  if (Buffer.byteLength(name) > nameBytesMax) return `its name is longer than ${nameBytesMax} bytes`;
  if (Buffer.byteLength(name.slice(name.lastIndexOf("/") + 1)) > partBytesMax)
    return `its file name is longer than the ${partBytesMax} bytes that file systems take`;
  return null;
}

function showName(given: string): string {
  const shown = given.replaceAll("\0", "\\0");
  return shown.length > shownLengthMax ? `${shown.slice(0, shownLengthMax)}…` : shown || "(no name)";
}
