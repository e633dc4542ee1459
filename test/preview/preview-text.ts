import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { previewFile, type Preview, type PreviewOptions } from "../../preview/preview.ts";

export type Content<Kind extends Preview["content"]["kind"]> = Extract<Preview["content"], { readonly kind: Kind }>;

export interface PreviewFolder {
  readonly path: string;
  /** Writes a file and looks at it. */
  look(name: string, content: string | Uint8Array, options?: Partial<PreviewOptions>): Promise<Preview>;
  /** The same for one whose content must be of a kind. */
  content<Kind extends Preview["content"]["kind"]>(kind: Kind, name: string, content: string | Uint8Array): Promise<Content<Kind>>;
}

export function previewFolder(): PreviewFolder {
  const path = mkdtempSync(join(tmpdir(), "casparian-preview-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  async function look(name: string, content: string | Uint8Array, options: Partial<PreviewOptions> = {}): Promise<Preview> {
    writeFileSync(join(path, name), content);
    return previewFile(join(path, name), { bytesMax: 8_000_000, rowsShown: 5, ...options });
  }
  return {
    path,
    look,
    async content<Kind extends Preview["content"]["kind"]>(kind: Kind, name: string, content: string | Uint8Array) {
      const preview = await look(name, content);
      if (preview.content.kind !== kind) throw new Error(`${name} was taken for ${preview.content.kind}`);
      return preview.content as Content<Kind>;
    },
  };
}

/** `name: type`, as a plugin would show its columns. */
export function typesOf({
  columns,
}: {
  readonly columns: readonly { readonly name: string; readonly arrow: string }[];
}): readonly string[] {
  return columns.map(({ name, arrow }) => `${name}: ${arrow}`);
}

/** What is said of the columns, by name. */
export function notesOf({
  columns,
}: {
  readonly columns: readonly { readonly name: string; readonly notes: readonly string[] }[];
}): readonly string[] {
  return columns.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
}
