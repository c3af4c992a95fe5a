import { createBudget } from "../src/northflank/budget.ts";
import { createLedger } from "../src/northflank/ledger.ts";
import { systemClock } from "../src/util/clock.ts";

/*
 * node --import tsx --min-semi-space-size=1024 --max-semi-space-size=1024 bench/ledger.ts
 *
 * What the ledgers of a connection and of its account cost a change: two requests set aside, three sent and answered. In
 * bytes allocated, which no load of the machine changes, and in CPU time as a part of that of parsing one response of
 * 4 KB. Bytes are right with a young generation that takes all of them, as above: nothing is collected meanwhile.
 */
const changes = 5_000;
const warmUp = 500;
const quota = 1_000_000_000;

const ledger = () => createLedger({ clock: systemClock, random: Math.random, maxRequestsPerHour: quota });
const account = ledger();
const budget = createBudget(ledger(), () => account);
let remaining = quota;

function change(name: string): void {
  const outcome = budget.reserve(2, "change", "shop/default");
  if (outcome.kind === "refused") throw new Error("refused");
  const { reservation } = outcome;
  for (const [requestClass, reserved] of [["change", reservation], ["change", reservation], ["run"]] as const) {
    const spender = { kind: "NorthflankDeployment", namespace: "shop", name };
    const admission = budget.admit({ class: requestClass, who: "shop/default", reservation: reserved, spender });
    if (admission.kind === "refused") throw new Error("refused");
    remaining -= 1;
    const rateLimit = { limit: quota, remaining, resetMs: 3_000_000, retryAfterMs: undefined };
    admission.ticket.settle({ kind: "answered", status: 200, rateLimit });
  }
  reservation.release();
}

const response = JSON.stringify({
  data: Array.from({ length: 50 }, (_, id) => ({ id, name: `service-${id}`, text: "x".repeat(40) })),
});

function measured(times: number, work: (index: number) => void): { readonly us: number; readonly bytes: number } {
  const { heapUsed } = process.memoryUsage();
  const before = process.cpuUsage();
  for (let index = 0; index < times; index++) work(index);
  const { user, system } = process.cpuUsage(before);
  return { us: (user + system) / times, bytes: Math.round((process.memoryUsage().heapUsed - heapUsed) / times) };
}

const ledgerWork = (index: number) => change(`api-${index % 2_000}`);
const parseWork = () => void JSON.parse(response);
measured(warmUp, ledgerWork);
measured(warmUp, parseWork);
const ledgers = measured(changes, ledgerWork);
const parsing = measured(changes, parseWork);
process.stdout.write(
  `ledgers, each change: ${ledgers.us.toFixed(1)} us, ${ledgers.bytes} bytes allocated\n` +
    `one response of ${response.length} bytes, parsed: ${parsing.us.toFixed(1)} us; ratio ${(ledgers.us / parsing.us).toFixed(2)}\n`,
);
