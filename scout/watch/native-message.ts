import type { SelectionGlobs } from "../../domain/selection.ts";

/** The first message to the process that watches natively. */
export interface NativeOrder {
  /** Without symbolic links. */
  readonly root: string;
  readonly globs: SelectionGlobs;
}

/** What that process tells. Between `calling` and `called` it is inside the library, which may hang there. */
export type NativeMessage =
  | { readonly kind: "calling" }
  | { readonly kind: "called" }
  | { readonly kind: "ready" }
  | { readonly kind: "changes"; readonly changed: readonly string[]; readonly appeared: readonly string[] }
  | { readonly kind: "flood"; readonly changes: number }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "ended"; readonly code: string; readonly message: string };

/** The code of `ended` when the library has no build for this machine, or was not installed. */
export const nativeMissing = "NATIVE_MISSING";
