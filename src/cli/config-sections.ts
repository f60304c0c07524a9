/** The sections of the configuration file beside that of the connection. */
export const CONFIG_SECTIONS = ['worker'] as const;
