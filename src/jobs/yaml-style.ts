/**
 * How definitions are written as YAML: long lines as they are, and a quoted text in one line. Spread over several, the library
 * writes a line of blanks so that it does not come back as it was.
 */
export const YAML_STYLE = { lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER } as const;
