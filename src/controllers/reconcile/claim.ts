// pure
import type { Reason } from "../../api/reasons.ts";

/** What is known of one condition in this pass, beyond the summary. `as-before`: nothing new was learned. */
export type Claim =
  | { readonly status: "True" | "False" | "Unknown"; readonly reason: Reason; readonly message: string }
  | "as-before";
