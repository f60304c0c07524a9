/**
 * How a command of a test finds out the process id of its worker, in `$worker`: that of its parent, or, where the parent is
 * a launcher, the launcher's last argument.
 */

/** For any shell; takes processes. */
export const FIND_WORKER = `worker=$PPID
parent=$(tr '\\0' '\\n' < /proc/$PPID/cmdline)
case "$parent" in */run/launcher/*) worker=$(echo "$parent" | tail -n 1) ;; esac`;

/** For bash; takes none. */
export const FIND_WORKER_BASH = `worker=$PPID
mapfile -d '' -t parent < /proc/$PPID/cmdline
[[ \${parent[*]} == */run/launcher/* ]] && worker=\${parent[-1]}`;
