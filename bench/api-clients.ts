/** Requests at a steady rate, whether or not the answers keep up. */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answers {
  /** From the moment at which a request was to be sent. */
  readonly latenciesMs: readonly number[];
  /** Of good answers. */
  readonly perSecond: number;
  readonly problems: readonly string[];
}

const TICK_MS = 20;
const KEPT_PROBLEMS = 5;

/** Asks the URLs in turn until the signal is aborted. Never rejects: what went wrong is in `problems`. */
export async function askEverySecond(
  urls: readonly string[],
  perSecond: number,
  signal: AbortSignal,
): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const latenciesMs: number[] = [];
  const problems = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  const fromMs = performance.now();
  let sent = 0;
  while (!signal.aborted) {
    await sleep(TICK_MS);
    const wanted = Math.floor(((performance.now() - fromMs) / 1000) * perSecond);
    for (; sent < wanted; sent += 1) {
      const toSendMs = fromMs + (sent / perSecond) * 1000;
      const request = statusOf(urls[sent % urls.length]!, agent).then((status) => {
        if (status === 200) latenciesMs.push(performance.now() - toSendMs);
        else problems.set(`${status}`, (problems.get(`${status}`) ?? 0) + 1);
      });
      underWay.add(request);
      void request.finally(() => underWay.delete(request));
    }
  }
  const seconds = (performance.now() - fromMs) / 1000;
  await Promise.all(underWay);
  agent.destroy();
  return {
    latenciesMs,
    perSecond: latenciesMs.length / seconds,
    problems: Array.from(problems, ([what, count]) => `${count} requests: ${what}`).slice(0, KEPT_PROBLEMS),
  };
}

/** The status of the answer, once all of it has come; or why there is none. */
function statusOf(url: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: 30_000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', (error) => resolve(error.message));
    });
    request.once('timeout', () => request.destroy(new Error('no answer in time')));
    request.once('error', (error) => resolve(error.message));
  });
}
