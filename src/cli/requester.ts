import { hostname, userInfo } from 'node:os';

/** Who asks, for records that others read: `user@host`. */
export function requester(): string {
  let user: string;
  try {
    user = userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    user = `uid ${process.getuid?.() ?? 'unknown'}`;
  }
  return `${user}@${hostname()}`;
}
