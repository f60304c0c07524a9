import type { JobState } from '../../operations/job-state.js';
import type { Colors } from '../context.js';

export function statePaint(state: JobState, colors: Colors): (text: string) => string {
  const { green, yellow, red, dim } = colors;
  return { ok: green, paused: yellow, broken: red, done: dim }[state];
}
