import { createServer } from 'node:net';
import { DEFAULT_LISTEN } from '../../node/api-options.js';

/** So far beyond the usual port one is looked for. */
const RANGE = 500;

/** The first `count` ports from the usual one on that nobody has; fewer when there are not so many. */
export async function findPagePorts(count: number): Promise<number[]> {
  const { port: first } = DEFAULT_LISTEN;
  const free: number[] = [];
  for (let port = first; free.length < count && port < first + RANGE; port += 1)
    if (await isFree(port)) free.push(port);
  return free;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: DEFAULT_LISTEN.host, port }, () => server.close(() => resolve(true)));
  });
}
