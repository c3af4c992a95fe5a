import { readFile } from "node:fs/promises";
import type { TlsPair } from "../http-server.ts";
import { type Clock, sleep } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Reads a certificate and its key. Rejects when a file cannot be read. */
export async function readTlsFiles({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  return { cert, key };
}

// A mounted Secret follows within a minute or two; certificates are renewed days before they end.
const rereadMs = 30_000;

/**
 * Reads the files twice a minute and hands on what has changed, until `signal` is aborted. Never rejects.
 *
 * Not by notifications of the file system: a mounted Secret is exchanged behind links, and those of some file systems do
 * not say so.
 *
 * *Guarantees*: a pair that cannot be read or used (the two files may be written one after the other) is logged once, the
 * one in use stays, and the next read is a retry.
 */
export async function watchTlsFiles(
  options: {
    readonly files: TlsFiles;
    readonly first: TlsPair;
    readonly use: (pair: TlsPair) => void;
    readonly clock: Clock;
    readonly log: Log;
  },
  signal: AbortSignal,
): Promise<void> {
  const { files, use, clock, log } = options;
  let inUse = options.first;
  let problem: string | undefined;
  while (!signal.aborted) {
    try {
      await sleep(clock, rereadMs, signal);
    } catch {
      // Aborted.
      return;
    }
    try {
      const read = await readTlsFiles(files);
      if (read.cert !== inUse.cert || read.key !== inUse.key) {
        use(read);
        inUse = read;
        log.info({ endpoint: "webhook" }, "certificate reloaded");
      }
      problem = undefined;
    } catch (thrown) {
      const err = toError(thrown);
      if (problem !== err.message) log.warn({ endpoint: "webhook", err }, "failed to reload certificate");
      problem = err.message;
    }
  }
}
