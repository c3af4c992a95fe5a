import { readFile } from "node:fs/promises";
import type { Config } from "../config.ts";
import type { OperatorToken } from "../controllers/account/token-source.ts";

/**
 * The operator-wide token: from the file, which is read again at every use, else from the environment.
 * `undefined` when neither is given.
 */
export function operatorToken(config: Config, fromEnvironment: string | undefined): OperatorToken | undefined {
  const { defaultTokenFile, defaultTokenNamespaces: namespaces, defaultTeamId: teamId } = config;
  if (defaultTokenFile !== undefined) return { read: () => readToken(defaultTokenFile), namespaces, teamId };
  if (fromEnvironment === undefined || fromEnvironment === "") return undefined;
  return { read: async () => fromEnvironment, namespaces, teamId };
}

/** `undefined` when the file cannot be read: objects then say so, and the read is retried. */
async function readToken(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}
