/** What a starting plugin is made of, beside its docstring and MANIFEST: lines of Python. */
export interface PluginParts {
  /** Of a script block; none for the standard environment. */
  readonly dependencies?: readonly string[];
  readonly imports: readonly string[];
  readonly constants: readonly string[];
  readonly helpers: readonly (readonly string[])[];
  /** Of `execute`, not set in. */
  readonly body: readonly string[];
}
