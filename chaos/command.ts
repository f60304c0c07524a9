/**
 * What the jobs of the chaos run execute: a script that notes what happens to it in files that etcron knows nothing of.
 *
 *     bash command.sh <milliseconds> <exit code> <succeeds from attempt> [stubborn] [tree] [alone=<what>]
 *
 * Each line of the evidence is written with one append, so that lines of many processes do not mix. That no other attempt
 * of its firing lives is not computed from times but tried: the process, and all that it starts, hold a file lock for as
 * long as one of them lives, which the next one asks for. With `alone` it does the same for its whole job (`job`), or for a
 * limit that jobs share.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIND_WORKER_BASH } from '../test/support/worker-pid.js';

export interface CommandOptions {
  readonly durationMs: number;
  /** 0 by default. */
  readonly exitCode?: number;
  /** Exits with 0 from this attempt on. */
  readonly succeedsFromAttempt?: number;
  /** Ignores SIGTERM. */
  readonly stubborn?: boolean;
  /** Starts a process in a session of its own, which would live on for long. */
  readonly tree?: boolean;
  /** Holds that no other process runs beside it that names the same; `job` stands for the job's name. */
  readonly alone?: string;
}

const NEVER = 1_000_000;

/** No `date`, no `sleep`: on a small machine under load, each process that a command starts is felt. */
const SCRIPT = `#!/bin/bash
LC_ALL=C
${FIND_WORKER_BASH}
folder=\${0%/*}
evidence=$folder/evidence
milliseconds=$1 code=$2 succeeds_from=$3
shift 3

# note <what> [<detail>]
note() {
  printf '%s %s %s %s %s %s %s\\n' "$ETCRON_RUN_ID" "$ETCRON_ATTEMPT" "$ETCRON_FENCING_TOKEN" "$worker" \\
    "\${EPOCHREALTIME/./}" "$1" "\${2:--}" >> "$evidence"
}

# hold <descriptor> <name>: takes the lock, or notes who has it
hold() {
  eval "exec $1<> '$folder/locks/$2'"
  if flock -n "$1"; then
    printf '%s %s %s\\n' "$ETCRON_RUN_ID" "$ETCRON_ATTEMPT" "$worker" > "$folder/locks/$2"
  else
    read -r run attempt other < "$folder/locks/$2"
    note beside "$run,$attempt,$other"
  fi
}

note start
hold 7 "\${ETCRON_RUN_ID//\\//_}"
for option in "$@"; do
  case $option in
    stubborn) trap '' TERM ;;
    alone=job) hold 6 "$ETCRON_JOB" ;;
    alone=*) hold 6 "\${option#alone=}" ;;
    tree) setsid sleep 600 & ;;
  esac
done

# Nobody ever writes to this pipe: reading from it is a sleep without a process.
exec 8<> <(:)
while ((milliseconds > 0)); do
  step=$((milliseconds < 1000 ? milliseconds : 1000))
  printf -v seconds '%d.%03d' $((step / 1000)) $((step % 1000))
  read -r -t "$seconds" -u 8
  ((milliseconds -= step))
  ((milliseconds > 0)) && note alive
done
((ETCRON_ATTEMPT >= succeeds_from)) && code=0
note end "$code"
exit "$code"
`;

/** Writes the script; returns its path. Evidence and locks lie beside it. */
export function installCommand(folder: string): string {
  const path = join(folder, 'command.sh');
  writeFileSync(path, SCRIPT);
  return path;
}

/** The `command` of a job, without a shell in between: its parent process is the worker, or the worker's launcher. */
export function commandLine(script: string, options: CommandOptions): string[] {
  const { durationMs, exitCode = 0, succeedsFromAttempt = NEVER } = options;
  const flags: string[] = (['stubborn', 'tree'] as const).filter((flag) => options[flag]);
  if (options.alone !== undefined) flags.push(`alone=${options.alone}`);
  return ['bash', script, String(durationMs), String(exitCode), String(succeedsFromAttempt), ...flags];
}
