/** How much of what a worker can take it has. */
export function LoadBar({ load, capacity, label }: { load: number; capacity: number; label: string }) {
  const share = capacity === 0 ? 0 : Math.min(1, load / capacity);
  return (
    <span
      class={`load ${share >= 1 ? 'is-full' : ''}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={capacity}
      aria-valuenow={Math.min(load, capacity)}
      aria-valuetext={`${load} of ${capacity}`}
    >
      <span style={{ width: `${share * 100}%` }} />
    </span>
  );
}
