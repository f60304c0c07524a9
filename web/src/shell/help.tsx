import { Dialog } from '../ui/dialog.js';

const KEYS: readonly [string, string][] = [
  ['/', 'find a job'],
  ['g o', 'overview'],
  ['g j', 'jobs'],
  ['g r', 'runs'],
  ['g w', 'workers'],
  ['g l', 'limits'],
  ['g a', 'audit'],
  ['t', 'light or dark'],
  ['z', 'time zone: yours, UTC, that of the job'],
  ['?', 'this list'],
  ['Esc', 'close what is open'],
];

/** The keys and the marks, explained. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
