/** What nodes ask each other: the output that is on this worker's disk. Signed, not for people. */
import { EtcronError } from '../../errors.js';
import { formatRunId } from '../../etcd/keys.js';
import { runIdOf } from '../../operations/find-run.js';
import { withHeartbeat } from '../output/heartbeat.js';
import { HOP_HEADER, HopVerifier, type HopRequest } from '../output/hop-signature.js';
import { LocalSource } from '../output/output-source.js';
import { HOP_PATH } from '../output/remote-source.js';
import type { OutputAccess } from '../output/find-output.js';
import { hopQuery } from '../schemas/output.js';
import { runParams } from '../schemas/runs.js';
import type { ApiApp } from '../services.js';
import { whenGone } from '../when-gone.js';
import { PUBLIC } from './answers.js';
import { bytesOf, LINES_TYPE, linesOf } from './output.js';

/** Empty lines: there is somebody, though nothing is written. */
const HEARTBEAT_MS = 10_000;

/** Nothing where the worker keeps no output. */
export function hopRoutes(app: ApiApp, { own, hop, cluster, clock }: OutputAccess): void {
  if (own === null) return;
  const source = new LocalSource(own.worker, own.folder, cluster, clock);
  const verifier = new HopVerifier(clock);

  const check = async (target: string, header: unknown): Promise<void> => {
    const request: HopRequest = { target, worker: own.worker };
    let refusal = verifier.refusal(await hop.secret.get(), request, header);
    // It may be another one by now.
    const again = refusal === null ? null : await hop.secret.again();
    if (again !== null) refusal = verifier.refusal(again, request, header);
    if (refusal !== null)
      throw new EtcronError('ETCRON_AUTH_REQUIRED', `only nodes of this cluster may ask here: ${refusal}`);
  };

  app.get(
    `${HOP_PATH}/:job/:due/attempts`,
    { config: PUBLIC, schema: { hide: true, params: runParams } },
    async (request) => {
      await check(request.raw.url ?? '', request.headers[HOP_HEADER]);
      return source.list(formatRunId(runIdOf(`${request.params.job}/${request.params.due}`)));
    },
  );

  app.get(
    `${HOP_PATH}/:job/:due`,
    { config: PUBLIC, schema: { hide: true, params: runParams, querystring: hopQuery } },
    async (request, reply) => {
      await check(request.raw.url ?? '', request.headers[HOP_HEADER]);
      const gone = new AbortController();
      whenGone(reply.raw, () => gone.abort(new Error('the other node is gone')));
      const { limit = null, ...query } = request.query;
      const runId = formatRunId(runIdOf(`${request.params.job}/${request.params.due}`));
      const entries = source.read({ runId, limit, ...query }, gone.signal);
      const lines = withHeartbeat(linesOf(entries, true), clock, HEARTBEAT_MS, '\n');
      return reply.type(LINES_TYPE).send(bytesOf(begunWith('\n', lines), () => undefined));
    },
  );
}

/** So that whoever asks has an answer before there is any output. */
async function* begunWith(first: string, source: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* source;
}
