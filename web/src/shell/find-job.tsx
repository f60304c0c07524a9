import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { query } from '../api/client.js';
import type { JobList } from '../api/types.js';
import { jobHref } from '../format/links.js';
import { useResource } from '../live/resource.js';
import { Dialog } from '../ui/dialog.js';
import { JobStateMark } from '../ui/job-state.js';

const MAX_FOUND = 8;
const PAUSE_MS = 150;

/** Type a part of a name, go there with Enter. */
export function FindJob({ onClose }: { onClose: () => void }) {
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  const [asked, setAsked] = useState('');
  const [chosen, setChosen] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const found = useResource<JobList>(`jobs${query({ q: asked, limit: MAX_FOUND })}`);
  const jobs = found.data?.jobs ?? [];

  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      setAsked(text.trim());
      setChosen(0);
    }, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);

  const go = (name: string | undefined): void => {
    if (name === undefined) return;
    onClose();
    navigate(jobHref(name));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setChosen(Math.min(chosen + 1, jobs.length - 1));
    else if (event.key === 'ArrowUp') setChosen(Math.max(chosen - 1, 0));
    else if (event.key === 'Enter') go(jobs[chosen]?.name);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find a job" onClose={onClose}>
      <input
        ref={input}
        class="input"
        type="search"
        value={text}
        placeholder="A part of its name, description, schedule or labels"
        aria-label="Find a job"
        role="combobox"
        aria-expanded="true"
        aria-controls="found-jobs"
        {...(jobs.length > 0 ? { 'aria-activedescendant': `found-${chosen}` } : {})}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <ul class="found" id="found-jobs" role="listbox" aria-label="Jobs">
        {jobs.map((job, index) => (
          <li
            key={job.name}
            id={`found-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => go(job.name)}
          >
            <span class="mono clip">{job.name}</span>
            <JobStateMark job={job} />
          </li>
        ))}
      </ul>
      {found.data && jobs.length === 0 && <p class="muted">No job matches.</p>}
    </Dialog>
  );
}
