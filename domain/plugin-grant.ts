/** What a plugin may reach beyond its sandbox. */
export interface PluginGrants {
  /** Folders, absolute, with all that is below them. */
  readonly read: readonly string[];
  /** `name:port`. */
  readonly hosts: readonly string[];
}

export const noGrants: PluginGrants = { read: [], hosts: [] };
