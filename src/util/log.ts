/**
 * What the code logs through: the part of pino that we use. The message is constant, facts are fields (the list of keys
 * is `logKeys` in `src/logger.ts`); an error goes under `err`.
 */
export interface Log {
  readonly debug: (fields: object, message: string) => void;
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
  readonly child: (fields: object) => Log;
}

/** A log whose lines carry `facts` as well. Costs next to nothing until something is written, unlike a child of pino. */
export function logWith(log: Log, facts: object): Log {
  return {
    debug: (fields, message) => log.debug({ ...facts, ...fields }, message),
    info: (fields, message) => log.info({ ...facts, ...fields }, message),
    warn: (fields, message) => log.warn({ ...facts, ...fields }, message),
    error: (fields, message) => log.error({ ...facts, ...fields }, message),
    child: (fields) => logWith(log, { ...facts, ...fields }),
  };
}
