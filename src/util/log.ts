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
