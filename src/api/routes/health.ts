/** For load balancers, orchestrators and Prometheus. */
import { z } from 'zod';
import type { Readiness } from '../context.js';
import type { ApiApp, ApiServices } from '../services.js';
import { answers, answersText, PUBLIC, VIEWER } from './answers.js';

const tags = ['health'];
const health = z.object({ status: z.enum(['ok', 'not ready']), reasons: z.array(z.string()) });

export function healthRoutes(app: ApiApp, { context, reader }: ApiServices): void {
  app.get(
    '/healthz',
    {
      config: PUBLIC,
      schema: { tags, summary: 'This process answers', response: answers(health) },
    },
    () => ({ status: 'ok' as const, reasons: [] }),
  );

  app.get(
    '/readyz',
    {
      config: PUBLIC,
      schema: {
        tags,
        summary: 'This worker has a lease',
        description: 'Of `etcron serve`: etcd answers. 503 otherwise, with the reasons.',
        response: { 200: health, 503: health },
      },
    },
    async (_request, reply) => {
      const { ready, reasons } = await readiness();
      const status = ready ? ('ok' as const) : ('not ready' as const);
      return reply.code(ready ? 200 : 503).send({ status, reasons: [...reasons] });
    },
  );

  app.get(
    '/metrics',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Metrics of this worker, for Prometheus',
        description: '`etcron serve` has none of its own.',
        response: answersText('text/plain', z.string()),
      },
    },
    async (_request, reply) => {
      const text = context.worker === null ? '' : await context.worker.metrics();
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(text);
    },
  );

  async function readiness(): Promise<Readiness> {
    if (context.worker !== null) return context.worker.readiness();
    const { problem } = await reader.etcdStatus();
    return { ready: problem === null, reasons: problem === null ? [] : [problem] };
  }
}
