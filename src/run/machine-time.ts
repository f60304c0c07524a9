/** `CLOCK_MONOTONIC` on Linux, in ms: the same in all processes of a machine, whatever its wall clock does. */
export function machineMonotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
