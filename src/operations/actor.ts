/** Who does something to the cluster, and what that may be. */
import { z } from 'zod';

/** From the least to the most: each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;

/**
 * `viewer` reads; `operator` also runs, kills, reruns, pauses and drains; `admin` also changes definitions, limits and
 * tokens.
 */
export type Role = (typeof ROLES)[number];

export const roleSchema = z.enum(ROLES, { error: `must be one of ${ROLES.join(', ')}` });

export const VIAS = ['cli', 'api', 'page'] as const;

export interface Actor {
  /** The name of a token, or the user of the command line. */
  readonly name: string;
  readonly role: Role;
  readonly via: (typeof VIAS)[number];
}

/** True when `role` includes what `needed` may do. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
