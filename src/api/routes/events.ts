/** `GET /api/v1/events`: what happens, as it happens. */
import { z } from 'zod';
import type { ApiApp, ApiServices } from '../services.js';
import { answersText, VIEWER } from './answers.js';

const description = `Server-sent events. \`ready\` comes first, then what changes: \`jobs\`, \`firings\`, \`runs\`, \`workers\`, \`leader\`.
Each tells the new state, so that one that comes twice does no harm. \`stale\` says that the node does not follow etcd since some time, and when it does again. The \`id\` is opaque; a client that comes back sends the last one
as \`Last-Event-ID\`, to any node, and gets what it missed, or \`reset\` when that is not known any more: then it reads its lists again.
Connect first and read the lists then, and nothing is missed. Heartbeats (comments) come every 15 seconds.`;

export function eventRoutes(app: ApiApp, { events }: ApiServices): void {
  app.get(
    '/events',
    {
      config: VIEWER,
      // Its answer would never end.
      exposeHeadRoute: false,
      schema: {
        tags: ['events'],
        summary: 'What happens, as it happens',
        description,
        headers: z.object({
          'last-event-id': z
            .string()
            .max(100)
            .optional()
            .describe('The `id` of the last event that was received'),
        }),
        response: answersText('text/event-stream', z.string()),
      },
    },
    async (request, reply) => {
      const lastId = request.headers['last-event-id'] ?? null;
      // Whatever keeps it from beginning is told like any other error; what comes then is no answer of Fastify's.
      const admission = await events.admit();
      reply.hijack();
      admission.begin({ raw: reply.raw, headers: reply.getHeaders(), lastId });
      return reply;
    },
  );
}
