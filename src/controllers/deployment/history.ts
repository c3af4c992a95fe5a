// pure

/** So many changes are kept in `status.history`; older ones are dropped. */
export const longestHistory = 5;
