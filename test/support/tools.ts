import { inject } from "vitest";

/** Paths of `uv`, `temporal`, `python` (an interpreter without packages) and `environmentPython` (the standard environment: pandas and pyarrow). */
export function testTools(): {
  readonly uv: string;
  readonly temporal: string;
  readonly python: string;
  readonly environmentPython: string;
} {
  return inject("tools");
}
