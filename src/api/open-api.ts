/** The OpenAPI 3.1 document, made from the schemas that check requests. */
import type { SwaggerTransformObject } from '@fastify/swagger';
import { jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { packageVersion } from '../version.js';
import { STALE_HEADER, STALE_HEADER_OBJECT } from './stale-header.js';

const DESCRIPTION = `Everything that etcron knows and does, over HTTP. Any node of the cluster answers the same.

Errors are problem documents (RFC 9457) with a stable code. Times are ISO 8601 in UTC, durations are in milliseconds.`;

export function openApiInfo() {
  return {
    openapi: '3.1.0',
    info: {
      title: 'etcron',
      version: packageVersion(),
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    tags: [
      { name: 'cluster', description: 'The cluster as a whole' },
      { name: 'jobs', description: 'Definitions and what becomes of them' },
      { name: 'definitions', description: 'Definitions that are not written yet' },
      { name: 'runs', description: 'Firings and their records' },
      { name: 'workers', description: 'Who runs them' },
      { name: 'limits', description: 'What jobs share' },
      { name: 'events', description: 'What happens, as it happens' },
      { name: 'access', description: 'Sessions, tokens and the audit record' },
      { name: 'health', description: 'For load balancers and monitoring' },
    ],
    components: {
      securitySchemes: {
        bearer: { type: 'http' as const, scheme: 'bearer', description: 'A token of "etcron tokens create"' },
        session: {
          type: 'apiKey' as const,
          in: 'cookie' as const,
          name: 'etcron_session',
          description: 'What POST /api/v1/session sets, for browsers',
        },
      },
    },
    security: [{ bearer: [] }, { session: [] }],
  };
}

interface MadeDocument {
  readonly paths?: Record<
    string,
    {
      readonly get?: { readonly responses?: Record<string, { headers?: Record<string, unknown> }> };
      readonly put?: { readonly requestBody?: { readonly content?: Record<string, { schema?: unknown }> } };
    }
  >;
}

/**
 * A definition is taken as text, so that problems have lines; in JSON it is an object all the same. And each answer to a read can
 * be old.
 */
export const transformObject: SwaggerTransformObject = (document) => {
  const result = jsonSchemaTransformObject(document) as MadeDocument;
  for (const [path, { get }] of Object.entries(result.paths ?? {})) {
    const answer = path.startsWith('/api/') ? get?.responses?.['200'] : undefined;
    if (answer) answer.headers = { ...answer.headers, [STALE_HEADER]: STALE_HEADER_OBJECT };
  }
  const content = result.paths?.['/api/v1/jobs/{name}']?.put?.requestBody?.content;
  if (content?.['application/json']) {
    content['application/json'].schema = {
      type: 'object',
      description: 'The definition of one job; jobs.schema.json in the package says what it may hold',
    };
  }
  return withoutUnused(result) as ReturnType<SwaggerTransformObject>;
};

/** Each schema with a name is made once for what goes in and once for what comes out, needed or not. */
function withoutUnused<T extends object>(document: T): T {
  const { components } = document as { components?: { schemas?: Record<string, unknown> } };
  const schemas = components?.schemas ?? {};
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    if (unused.length === 0) return document;
    for (const name of unused) delete schemas[name];
  }
}
