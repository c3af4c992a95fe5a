import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TlsPair } from "../../src/http-server.ts";
import { readTlsFiles, type TlsFiles, watchTlsFiles } from "../../src/operator/tls-files.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

let folder: string;
let files: TlsFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tls-files-"));
  files = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
  write("cert 1", "key 1");
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(cert: string, key: string): void {
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key);
}

test("a file that is missing is an error of the start", async () => {
  rmSync(files.keyFile);
  await expect(readTlsFiles(files)).rejects.toThrow("ENOENT");
});

test("what changes is used within half a minute; what is no pair is logged once, and tried again", async () => {
  const clock = new FakeClock();
  const { log, lines } = fakeLog();
  const used: string[] = [];
  const over = new AbortController();
  const use = ({ cert, key }: TlsPair) => {
    if (cert.slice(-1) !== key.slice(-1)) throw new Error("no pair");
    used.push(cert);
  };
  const watching = watchTlsFiles({ files, first: await readTlsFiles(files), use, clock, log }, over.signal);
  /** Lets half a minute pass, and the files be read. */
  const halfMinute = async () => {
    await clock.advance(30_000);
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
  };
  await halfMinute();
  expect(used).toEqual([]);
  write("cert 2", "key 1");
  await halfMinute();
  await halfMinute();
  expect(used).toEqual([]);
  write("cert 2", "key 2");
  await halfMinute();
  expect(used).toEqual(["cert 2"]);
  rmSync(files.certFile);
  await halfMinute();
  write("cert 3", "key 3");
  await halfMinute();
  expect(used).toEqual(["cert 2", "cert 3"]);
  expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "warn: failed to reload certificate",
    "info: certificate reloaded",
    "warn: failed to reload certificate",
    "info: certificate reloaded",
  ]);
  over.abort();
  await watching;
  expect(clock.pendingTimers).toBe(0);
});
