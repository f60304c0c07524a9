/** The main module of the thread in which a worker's API runs. */
import { runApiThread } from '../../api/thread/run-api-thread.js';
import { servePage } from './page.js';

await runApiThread([servePage]);
