import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { whenGone } from '../../src/api/when-gone.js';

const server = createServer();
let handle: (raw: ServerResponse) => void = () => undefined;
server.on('request', (_request, raw) => handle(raw));

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it('calls back for whoever leaves, be it before somebody listens for that', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answers: ServerResponse[] = [];
  const gone: string[] = [];
  await new Promise<void>((resolve) => {
    handle = (raw) => {
      answers.push(raw);
      whenGone(raw, () => gone.push('early'));
      raw.once('close', resolve);
      leaving.destroy();
    };
    const leaving = request({ port }).on('error', () => undefined);
    leaving.end();
  });
  whenGone(answers[0]!, () => gone.push('late'));
  expect(gone).toEqual(['early', 'late']);
});
