/** What a node of the library tells its program, typed; a listener that fails harms nobody else. */
import { EventEmitter } from 'node:events';
import type { RunRecord } from '../history/run-record.js';
import type { WhatNext } from '../claim/run-observer.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';

/** One attempt of one firing, on this node. */
export interface RunEvent {
  /** `<job>/<due>`, as in `etcron runs get`. */
  readonly runId: string;
  readonly job: string;
  readonly due: Date;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Grows with every claim of any firing. */
  readonly fencingToken: bigint;
}

/** An attempt has begun. */
export interface RunStartedEvent extends RunEvent {
  /** How long after the time at which it was to start. */
  readonly latenessMs: number;
}

/** A handler said how far it is. */
export interface RunProgressEvent {
  readonly runId: string;
  /** A fraction from 0 to 1, or a text. */
  readonly progress: number | string;
}

/** An attempt has ended. */
export interface RunEndedEvent extends RunEvent {
  /** How the attempt ended: `succeeded`, `failed`, `timed_out` or `killed`. */
  readonly outcome: RunRecord['outcome'];
  /** Why, where the outcome alone does not say it. */
  readonly reason: string | null;
  readonly durationMs: number;
  /** The end of what it wrote, or what its handler returned, as JSON; null when it never started. */
  readonly output: string | null;
  /**
   * What becomes of the firing: this end is `recorded`, there will be a `retry`, or it was `handed-over` to other workers
   * because this one is being stopped or may have lost its lease.
   */
  readonly next: WhatNext;
}

/** A handler goes on although it should have ended. */
export interface RunIgnoredEndEvent {
  readonly runId: string;
  /**
   * With `trust-lost` and `shutdown` the firing may be run again elsewhere beside it (see `fencingToken`). With `timeout` and
   * `kill-request` its claim is held until it ends.
   */
  readonly why: 'timeout' | 'kill-request' | 'trust-lost' | 'shutdown';
}

/** The events of a node, and what comes with each. */
export interface NodeEvents {
  /** The node has a lease and takes up work: after `start`, and again after each `lost`. */
  ready: { readonly nodeId: string };
  /** Its lease is gone. The node begins anew, under a new id, as soon as etcd grants it another. */
  lost: { readonly nodeId: string };
  /** It leads from now on: it plans the firings of all. */
  leader: { readonly nodeId: string };
  /** It does not lead any more. */
  deposed: { readonly nodeId: string; readonly reason: string };
  /** An attempt has begun on this node. */
  runStarted: RunStartedEvent;
  /** A handler of this node said how far it is. */
  runProgress: RunProgressEvent;
  /** An attempt has ended on this node. */
  runEnded: RunEndedEvent;
  /** A handler goes on although its run should have ended. */
  runIgnoredEnd: RunIgnoredEndEvent;
}

/** The name of an event. */
export type NodeEventName = keyof NodeEvents;

/** What is called with an event. It may be async; what it throws is logged. */
export type NodeEventListener<Name extends NodeEventName> = (event: NodeEvents[Name]) => unknown;

export class NodeEventSource {
  readonly #emitter = new EventEmitter();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
    this.#emitter.setMaxListeners(0);
  }

  on<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): void {
    this.#emitter.on(name, listener);
  }

  once<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): void {
    this.#emitter.once(name, listener);
  }

  off<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): void {
    this.#emitter.off(name, listener);
  }

  /** `make` is called when somebody listens. */
  tell<Name extends NodeEventName>(name: Name, make: () => NodeEvents[Name]): void {
    if (this.#emitter.listenerCount(name) > 0) this.emit(name, make());
  }

  emit<Name extends NodeEventName>(name: Name, event: NodeEvents[Name]): void {
    for (const listener of this.#emitter.rawListeners(name))
      void this.#tell(name, listener as NodeEventListener<Name>, event);
  }

  async #tell<Name extends NodeEventName>(
    name: Name,
    listener: NodeEventListener<Name>,
    event: NodeEvents[Name],
  ): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.#log.error({ event: name, err: messageOf(error) }, 'a listener failed');
    }
  }
}
