/** How rows come from a plugin's process to ours. */
export const transportNames = ["unix", "zeromq"] as const;
export type TransportName = (typeof transportNames)[number];
