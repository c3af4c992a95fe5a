// pure
import { formatDuration } from "../util/duration.ts";
import { quotaChart } from "./chart.ts";
import { constantHtml, type Html, html } from "./html.ts";
import type { Listed, ShownAccount, ShownObject, ShownReconcile, ShownState, StatusModel } from "./model.ts";
import { style } from "./style.ts";

/**
 * The status page: one HTML document, without scripts, that needs nothing from elsewhere.
 *
 * *Guarantees*: every text of the model is escaped, and cut; the size is bounded by the lists of the model, about 1 KiB
 * an entry.
 */
export function statusPage(model: StatusModel): string {
  const { version, identity, nowMs } = model;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>northflank-operator status</title><style>${styleText}</style></head><body>
<header><h1>northflank-operator</h1>
<p class="dim">${version} · ${cut(identity, 120)} · ${time(nowMs)} · reload for new figures</p></header>
<main>
${summary(model)}
${role(model)}
${section("Action required", model.stalled, (state) => stateItem(state, model), "No object requires action.")}
${section("Waiting and in progress", model.waiting, (state) => stateItem(state, model), "Nothing waits.")}
${accounts(model)}
${model.failedRuns.total === 0 ? undefined : section("Runs that ended without success", model.failedRuns, (state) => stateItem(state, model, "ago"), "")}
${slow(model.slow)}
${objects(model)}
${checks(model)}
</main></body></html>
`;
  return page.toString();
}

const styleText = constantHtml(style);

/** The one sentence that people came for. */
function summary({ checks: all, stalled, accounts: { items } }: StatusModel): Html {
  const broken = all.filter(({ ok }) => !ok).length;
  const down = items.filter(({ closedBy }) => closedBy !== undefined).length;
  if (broken > 0) return html`<p class="big bad">Not ready: ${count(broken, "check")} failed.</p>`;
  if (stalled.total > 0)
    return html`<p class="big bad">${count(stalled.total, "object")} ${stalled.total === 1 ? "needs" : "need"} an action.</p>`;
  if (down > 0) return html`<p class="big warn">${count(down, "account")} cannot send requests now.</p>`;
  return html`<p class="big good">Working. No object needs an action.</p>`;
}

function role({ role: own, leader }: StatusModel): Html {
  if (own === "leader") return html`<p>This replica is the leader.</p>`;
  const who = leader === undefined ? "No leader is known." : html`The leader is <b>${cut(leader, 120)}</b>.`;
  return html`<p class="warn">This replica is a standby. ${who} Only the leader has figures of accounts and reconciles.</p>`;
}

function section<T>(title: string, { items, total }: Listed<T>, item: (one: T) => Html, none: string): Html {
  const more = total - items.length;
  const rest = more > 0 ? html`<p class="dim">and ${more} more</p>` : undefined;
  const list = items.length === 0 ? html`<p class="dim">${none}</p>` : html`<ul>${items.map(item)}</ul>`;
  return html`<section><h2>${title}${total === 0 ? "" : ` (${total})`}</h2>${list}${rest}</section>`;
}

function stateItem(state: ShownState, { nowMs, docsUrl }: StatusModel, word: "for" | "ago" = "for"): Html {
  const { sinceMs, dueInMs, message } = state;
  const elapsed = sinceMs === undefined ? "" : duration(nowMs - sinceMs);
  const since = elapsed === "" ? "" : word === "ago" ? `${elapsed} ago` : `for ${elapsed}`;
  const due = dueInMs === undefined ? "" : dueInMs <= 0 ? "due now" : `next check in ${duration(dueInMs)}`;
  const times = [since, due].filter((text) => text !== "").join(" · ");
  return html`<li><div class="row"><b>${nameOf(state)}</b><span>${reasonOf(state.reason, docsUrl)}</span></div>
<div>${cut(message, 400)}</div><div class="dim">${times}</div></li>`;
}

function reasonOf(reason: string, docsUrl: string | undefined): Html | string {
  if (docsUrl === undefined) return cut(reason, 60);
  return html`<a href="${docsUrl}#${encodeURIComponent(cut(reason, 60).toLowerCase())}">${cut(reason, 60)}</a>`;
}

function nameOf({ kind, namespace, name }: ShownObject): string {
  return `${shortKind(kind)} ${namespace === "" ? "" : `${cut(namespace, 80)}/`}${cut(name, 120)}`;
}

function accounts({ accounts: { items, total } }: StatusModel): Html {
  if (total === 0) {
    return html`<section><h2>Quota</h2><p class="dim">No request has been sent to Northflank yet.</p></section>`;
  }
  const more = total - items.length;
  const rest = more > 0 ? html`<p class="dim">and ${more} more accounts</p>` : undefined;
  return html`<section><h2>Quota</h2><div class="cards">${items.map(account)}</div>${rest}</section>`;
}

function account(shown: ShownAccount): Html {
  const { pool, closedBy, waiting, pollStretch, checkStretch, spenders } = shown;
  const stretches = [
    pollStretch > 1.05 ? `Polls are ${factor(pollStretch)} times less frequent.` : "",
    checkStretch > 1.05 ? `Drift checks are ${factor(checkStretch)} times less frequent.` : "",
    waiting > 0 ? `Postponed and still to be sent: ${count(waiting, "request")}.` : "",
  ].filter((text) => text !== "");
  return html`<div class="card"><h3>${cut(pool, 160)}</h3>
<p>${quotaText(shown)}</p>
${closedBy === undefined ? undefined : html`<p class="bad">${cut(closedBy, 200)}</p>`}
${quotaChart(shown)}
${stretches.length === 0 ? undefined : html`<p class="warn">${stretches.join(" ")}</p>`}
${spendersList(spenders)}</div>`;
}

function quotaText({ limit, remaining, used, resetInMs }: ShownAccount): string {
  if (limit === undefined || remaining === undefined)
    return `${count(used, "request")} sent; the quota is not known yet.`;
  const others = Math.max(0, limit - remaining - used);
  const reset = resetInMs === undefined || resetInMs <= 0 ? "" : ` Reset in ${duration(resetInMs)}.`;
  return `${remaining} of ${limit} requests left. The operator sent ${used}, other clients about ${others}.${reset}`;
}

function spendersList(spenders: ShownAccount["spenders"]): Html | undefined {
  if (spenders.length === 0) return undefined;
  return html`<p class="dim">Requests in this hour</p>${rows(spenders.map((spender) => [nameOf(spender), `${spender.requests}`]))}`;
}

/** One line each: a name, and what there is to say of it. */
function rows(lines: readonly (readonly [name: string, text: string, tone?: string])[]): Html {
  const line = ([name, text, tone = ""]: (typeof lines)[number]) =>
    html`<li class="row"><span>${name}</span><span class="${tone}">${text}</span></li>`;
  return html`<ul>${lines.map(line)}</ul>`;
}

function slow(reconciles: readonly ShownReconcile[]): Html {
  const line = ({ controller, key, durationMs, endedAgoMs }: ShownReconcile) =>
    [
      `${cut(controller, 40)} ${cut(key, 200)}`,
      endedAgoMs === undefined
        ? `running for ${duration(durationMs)}`
        : `${duration(durationMs)}, ${duration(endedAgoMs)} ago`,
    ] as const;
  const none = html`<p class="dim">None took longer than a second in the last hour.</p>`;
  return html`<section><h2>Slowest reconciles</h2>${reconciles.length === 0 ? none : rows(reconciles.map(line))}</section>`;
}

function objects({ kinds }: StatusModel): Html {
  const line = ({ kind, total, ready, inProgress, stalled, suspended }: StatusModel["kinds"][number]) => {
    const parts = [
      [ready, "Ready"],
      [inProgress, "in progress"],
      [stalled, "Stalled"],
      [suspended, "suspended"],
    ] as const;
    const text = parts.flatMap(([figure, word]) => (figure === 0 ? [] : [`${figure} ${word}`])).join(", ");
    return [`${shortKind(kind)}: ${total}`, text] as const;
  };
  return html`<section><h2>Objects</h2>${rows(kinds.map(line))}</section>`;
}

function checks({ checks: all }: StatusModel): Html {
  const line = ({ name, ok, reason }: StatusModel["checks"][number]) => {
    const [text, tone] = ok ? (reason === "" ? ["ok", "good"] : [reason, "warn"]) : [reason, "bad"];
    return [cut(name, 80), cut(text ?? "", 300), tone] as const;
  };
  return html`<section><h2>Watches, lease and controllers</h2>${rows(all.map(line))}</section>`;
}

function shortKind(kind: string): string {
  return cut(kind.replace(/^Northflank/, ""), 40);
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

function factor(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** In two units at most. */
function duration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms >= 86_400_000) return `${Math.floor(ms / 86_400_000)}d${Math.floor((ms % 86_400_000) / 3_600_000)}h`;
  if (ms >= 3_600_000) return formatDuration(Math.floor(ms / 60_000) * 60_000);
  return formatDuration(ms);
}

function time(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** The text, or its beginning with an ellipsis. */
function cut(text: string, maxLength: number): string {
  // No character has more than two code units: what is left out here is behind the end.
  const characters = [...text.slice(0, 2 * maxLength + 2)];
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join("")}…` : text;
}
