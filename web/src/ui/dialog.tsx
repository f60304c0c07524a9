/** Dialogs by the browser's own element: it traps the focus, ends with Escape, and gives the focus back. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { asProblem, type ApiProblem } from '../api/problem.js';
import { Problem } from './states.js';

export function Dialog({
  title,
  onClose,
  children,
  wide = false,
}: {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={`dialog ${wide ? 'wide' : ''}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        // The element itself is hit only outside of its content: on the backdrop.
        if (event.target === element.current) onClose();
      }}
    >
      <div class="dialog-body">
        <h2 id={titleId} class="dialog-title">
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}

export interface ReasonField {
  readonly label: string;
  readonly placeholder?: string;
  readonly required?: boolean;
}

/** Asks before something happens, and says what will. `act` rejects with what is then shown. */
export function ActionDialog({
  title,
  children,
  action,
  dangerous = false,
  reason,
  act,
  onClose,
}: {
  title: ComponentChildren;
  /** What will happen, in numbers. */
  children: ComponentChildren;
  /** The word on the button. */
  action: string;
  dangerous?: boolean;
  reason?: ReasonField;
  act: (reason: string) => Promise<void>;
  onClose: () => void;
}) {
  const [text, setText] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await act(text.trim());
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <div class="dialog-text">{children}</div>
        {reason && (
          <label class="field">
            <span>{reason.label}</span>
            <input
              class="input"
              value={text}
              maxLength={256}
              required={reason.required ?? false}
              placeholder={reason.placeholder ?? ''}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
        )}
        {problem && <Problem problem={problem} />}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={`button ${dangerous ? 'danger' : 'primary'}`} disabled={isBusy}>
            {isBusy ? 'Working …' : action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
