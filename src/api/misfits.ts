// pure
/** One thing in a stored object that does not fit its schema: the fields of a `Problem`, see there. */
export interface Misfit {
  readonly path: readonly (string | number)[];
  readonly field: string;
  readonly rule: string;
  readonly message: string;
  readonly remedy: string;
}

/**
 * What was stored and does not have the types of the schema: the object goes without it, as if it had not been written.
 * Missing when everything fits. Of each part, ten at most.
 */
export interface Misfits {
  /** What is wrong with the spec as it is stored; then nothing may be begun for it. */
  readonly spec: readonly Misfit[];
  /** What is wrong with the status. */
  readonly status: readonly Misfit[];
}
