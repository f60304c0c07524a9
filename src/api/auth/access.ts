/** What a request was let in with, and what a route asks for. */
import type { Actor, Role } from '../../operations/actor.js';

export interface Access {
  readonly actor: Actor;
  /** `loopback`: without any token, as a user of this machine. */
  readonly by: 'token' | 'cookie' | 'loopback';
  /** Null for `loopback`. */
  readonly tokenId: string | null;
  /** When the token ends by itself, in ms; null: never. */
  readonly expiresAt: number | null;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route; null: anybody. A route that does not say is for admins. */
    role?: Role | null;
  }
  interface FastifyRequest {
    /** Who asks. Throws in a route that is open to anybody. */
    readonly actor: Actor;
    readonly access: Access;
  }
}

/** Somebody who needs no token, because there is none and only this machine can ask. */
export const LOCAL_USER = 'local';
