// pure
import type { TokenNeed } from "../../api/northflank-calls.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { LedgerSnapshot } from "../../northflank/ledger.ts";
import type { TokenView } from "../../northflank/types.ts";
import type { Blocked } from "../reconcile/ready-state.ts";
import type { SpecProblem } from "../reconcile/spec-validation.ts";
import type { AccountPace } from "./budget-status.ts";

/** What a check of the token found. `token`: what Northflank returned for it, if anything. */
export type TokenCheck =
  | { readonly kind: "accepted"; readonly token: TokenView | undefined }
  /** The API has no such check; `isAccepted`: an ordinary call has succeeded with this token. */
  | { readonly kind: "unsupported"; readonly isAccepted: boolean }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/** What can be seen of a connection, whatever its state. */
export interface Surroundings {
  /** How many objects use the connection. */
  readonly dependents: number;
  /** What the objects that use the connection need of its token; empty while nothing is known of its permissions. */
  readonly needs?: readonly TokenNeed[];
  /** The ledger of the account; `undefined` while there is none. */
  readonly quota: LedgerSnapshot | undefined;
  /** How much less often the account is asked; `undefined` while there is none. */
  readonly pace?: AccountPace | undefined;
  /** When a notification was received last, in ms since the epoch; `undefined` while there was none. */
  readonly lastHintMs?: number | undefined;
  /** Address and team that Northflank has answered the connection for; `undefined` while that is not known. */
  readonly acceptedFor?: string | undefined;
}

export type Observation = Surroundings &
  (
    | { readonly kind: "invalid"; readonly problems: readonly SpecProblem[] }
    | { readonly kind: "suspended" }
    /** The account cannot be used: host, Secret, or a token that was refused before. */
    | Blocked
    /** Nothing is due: no request was spent. */
    | { readonly kind: "rest" }
    | {
        readonly kind: "checked";
        readonly check: TokenCheck;
        readonly secretResourceVersion: string | undefined;
      }
  );
