// pure

/** The first few of many. */
export interface Listed<T> {
  readonly items: readonly T[];
  /** All there are. */
  readonly total: number;
}

/** An object, as people name it. */
export interface ShownObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** An object that waits, is in progress, or is Stalled. */
export interface ShownState extends ShownObject {
  readonly reason: string;
  readonly message: string;
  /** Since when, in milliseconds since the epoch; missing where the status does not say it. */
  readonly sinceMs?: number | undefined;
  /** Until the next reconcile, in milliseconds; missing where none is planned. */
  readonly dueInMs?: number | undefined;
}

/** Requests left in an account, at some time in the last hour. */
export interface QuotaSample {
  /** How long ago, in milliseconds. */
  readonly agoMs: number;
  readonly remaining: number;
}

export interface ShownAccount {
  readonly pool: string;
  /** Requests per hour; missing before the first answer of Northflank. */
  readonly limit?: number | undefined;
  readonly remaining?: number | undefined;
  /** Requests of this process in the present window. */
  readonly used: number;
  readonly resetInMs?: number | undefined;
  /** Why no request is sent, or one at a time; missing while requests are sent. */
  readonly closedBy?: string | undefined;
  /** Requests that were postponed and are still to be sent. */
  readonly waiting: number;
  /** How many times longer than usual. */
  readonly pollStretch: number;
  readonly checkStretch: number;
  /** The oldest first. */
  readonly history: readonly QuotaSample[];
  /** Who spent the most in the present window. */
  readonly spenders: readonly (ShownObject & { readonly requests: number })[];
}

/** A reconcile that took long, or is running. */
export interface ShownReconcile {
  readonly controller: string;
  readonly key: string;
  readonly durationMs: number;
  /** How long ago it ended; missing: it is running. */
  readonly endedAgoMs?: number | undefined;
}

export interface ShownKind {
  readonly kind: string;
  readonly total: number;
  readonly ready: number;
  readonly inProgress: number;
  readonly stalled: number;
  readonly suspended: number;
}

export interface ShownCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why not, or what is missing all the same; empty: nothing is. */
  readonly reason: string;
}

/** All that the status page shows. Nothing in it is secret, and texts of others may hold anything. */
export interface StatusModel {
  readonly version: string;
  readonly identity: string;
  readonly nowMs: number;
  /** The pod that leads; `undefined`: unknown. */
  readonly role: "leader" | "standby";
  readonly leader: string | undefined;
  readonly checks: readonly ShownCheck[];
  readonly kinds: readonly ShownKind[];
  readonly accounts: Listed<ShownAccount>;
  readonly stalled: Listed<ShownState>;
  readonly failedRuns: Listed<ShownState>;
  readonly waiting: Listed<ShownState>;
  readonly slow: readonly ShownReconcile[];
  /** The page with a section for each reason; missing: reasons are no links. */
  readonly docsUrl?: string | undefined;
}
