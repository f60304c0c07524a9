/** What routes declare of their answers. */
import type { z } from 'zod';
import { PROBLEM_TYPE } from '../problem.js';
import { problemDocument } from '../schemas/common.js';

const problem = {
  description: 'What went wrong, as a problem document (RFC 9457)',
  content: { [PROBLEM_TYPE]: { schema: problemDocument } },
} as const;

/** `schema` with the status 200, and problem documents otherwise. */
export function answers<Schema extends z.ZodType>(schema: Schema) {
  return { 200: schema, '4xx': problem, '5xx': problem };
}

/** The same with 201 beside it, for what is new. */
export function answersNew<Schema extends z.ZodType>(schema: Schema) {
  return { 200: schema, 201: schema, '4xx': problem, '5xx': problem };
}

/** An answer that is no JSON. */
export function answersText(contentType: string, schema: z.ZodType) {
  return { 200: { content: { [contentType]: { schema } } }, '4xx': problem, '5xx': problem };
}

export const VIEWER = { role: 'viewer' } as const;
export const OPERATOR = { role: 'operator' } as const;
export const ADMIN = { role: 'admin' } as const;
export const PUBLIC = { role: null } as const;
