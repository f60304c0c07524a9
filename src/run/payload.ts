/** What a handler takes: any schema library that follows Standard Schema (https://standardschema.dev), zod first of all. */

/** A schema of zod, or of any other library that follows Standard Schema v1. */
export interface PayloadSchema<Input = unknown, Output = Input> {
  /** The interface of Standard Schema. */
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    /** Judges a value: what the schema makes of it, or everything that is wrong. */
    readonly validate: (value: unknown) => PayloadResult<Output> | Promise<PayloadResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema makes of a value. */
export type PayloadResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly PayloadIssue[] };

/** One thing that a schema finds wrong. */
export interface PayloadIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type PayloadInput<Schema extends PayloadSchema> = NonNullable<Schema['~standard']['types']>['input'];

/** What it makes of it: what the handler gets. */
export type PayloadOutput<Schema extends PayloadSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** One line, such as `region: Invalid input: expected string, received number; count: Too small`. */
export function payloadProblem(issues: readonly PayloadIssue[]): string {
  return issues
    .map(({ message, path = [] }) => {
      const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
      return place === '' ? message : `${place}: ${message}`;
    })
    .join('; ');
}
