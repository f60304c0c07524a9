import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createNode } from 'etcron';
import { report, reports } from './jobs.js';

/** etcd is where the ETCRON_* variables say, by default at 127.0.0.1:2379. */
const node = createNode({ jobs: [report], log: 'info' });

node.on('runEnded', ({ runId, outcome, durationMs }) => {
  console.log(`${runId} ${outcome} after ${durationMs} ms on ${node.name}`);
});

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  const handle = async (): Promise<void> => {
    switch (`${request.method} ${request.url}`) {
      case 'GET /health':
        return answer(response, node.nodeId === null ? 503 : 200, {
          nodeId: node.nodeId,
          leads: node.isLeader,
        });
      case 'GET /reports':
        return answer(response, 200, [...reports.values()]);
      case 'POST /reports':
        return answer(response, 202, { run: await node.run('report') });
      default:
        return answer(response, 404, { error: 'there is nothing here' });
    }
  };
  handle().catch((error: unknown) => answer(response, 500, { error: String(error) }));
});

/** Requests first, then runs: they may take their time, and what takes too long goes on on another server. */
async function shutDown(): Promise<void> {
  server.close();
  await node.stop({ graceMs: 10_000 });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void shutDown());

await node.start();
server.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on port ${(server.address() as AddressInfo).port}`);
});
