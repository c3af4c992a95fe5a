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

/** What a cached object has in addition to the stored one; `project-object.ts` adds it. */
export interface OnlyInCache {
  /**
   * Fields that were applied and that the API server dropped because the schema does not know them, with what was
   * probably meant: `spec.sespend: did you mean "suspend"?`. Missing when there are none; ten at most.
   */
  readonly prunedFields?: readonly string[];
  readonly misfits?: Misfits;
}
