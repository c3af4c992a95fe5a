import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { html } from "../../src/status-page/html.ts";
import type { ShownState, StatusModel } from "../../src/status-page/model.ts";
import { statusPage } from "../../src/status-page/page.ts";
import { statusModel } from "../support/status-models.ts";

/** What a browser shows of a page, roughly: without tags, with its escapes read. */
function textOf(page: string): string {
  return page
    .replaceAll(/<style>.*?<\/style>/gs, "")
    .replaceAll(/<[^>]*>/g, "\n")
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replaceAll(/\n+/g, "\n");
}

/** The tags of a page, with the names of their attributes: its structure, without what it says. */
function structureOf(page: string): readonly string[] {
  return [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
}

const hostile = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'--></style><script>alert(1)</script>",
  "&lt;b&gt;",
  "a\u202eb\u0000c\nd",
  "`$(1+1)`",
];

/** The model with one text in place of every text that comes from elsewhere. */
function withText(text: string): StatusModel {
  const model = statusModel();
  const state = (one: ShownState): ShownState => ({
    ...one,
    kind: text,
    namespace: text,
    name: text,
    reason: text,
    message: text,
  });
  const listed = (list: StatusModel["stalled"]) => ({ ...list, items: list.items.map(state) });
  return {
    ...model,
    identity: text,
    leader: text,
    role: "standby",
    docsUrl: "https://docs.example.com/runbook",
    checks: model.checks.map((check) => ({ ...check, name: text, reason: text })),
    kinds: model.kinds.map((kind) => ({ ...kind, kind: text })),
    stalled: listed(model.stalled),
    failedRuns: listed(model.failedRuns),
    waiting: listed(model.waiting),
    accounts: {
      ...model.accounts,
      items: model.accounts.items.map((account) => ({
        ...account,
        pool: text,
        closedBy: text,
        spenders: account.spenders.map((spender) => ({ ...spender, kind: text, namespace: text, name: text })),
      })),
    },
    slow: model.slow.map((one) => ({ ...one, controller: text, key: text })),
  };
}

describe("texts of others", () => {
  const usual = structureOf(statusPage(withText("plain")));

  test.each(hostile)("%j changes no tag and no attribute", (text) => {
    expect(structureOf(statusPage(withText(text)))).toEqual(usual);
  });

  test("none does, whatever it is", () => {
    const pieces = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...hostile, '"', "'", "<", ">", "&", "="));
    const text = fc.array(pieces, { minLength: 1, maxLength: 4 }).map((parts) => `x${parts.join("")}`);
    fc.assert(
      fc.property(text, (one) => {
        expect(structureOf(statusPage(withText(one)))).toEqual(usual);
      }),
      { numRuns: 200 },
    );
  });

  test("they are shown as they are, on one line, without what reverses their direction", () => {
    const page = textOf(statusPage(withText("<b>&amp; 'x' a\u202eb\nc")));
    expect(page).toContain("<b>&amp; 'x' a b c");
  });

  test("a template escapes texts, and nothing else", () => {
    const inner = html`<b>${"<&>"}</b>`;
    expect(html`<p title="${'"'}">${inner}${undefined}${3}${["a", inner]}</p>`.toString()).toBe(
      '<p title="&#34;"><b>&#60;&#38;&#62;</b>3a<b>&#60;&#38;&#62;</b></p>',
    );
  });
});

describe("the page", () => {
  test("has no script, no address of elsewhere, and no style but one", () => {
    const page = statusPage(statusModel());
    expect(page).not.toMatch(/<script|<link|<iframe|<img|javascript:|url\(|@import|\sstyle=|\son[a-z]+=/i);
    expect(page.match(/<style>/g)).toHaveLength(1);
    expect(page).not.toMatch(/(?:href|src)=/);
    expect(statusPage(statusModel({ docsUrl: "https://docs.example.com/runbook" }))).toContain(
      '<a href="https://docs.example.com/runbook#authenticationfailed">AuthenticationFailed</a>',
    );
  });

  test("says first what matters", () => {
    const nothing = { items: [], total: 0 };
    const calm = statusModel({ stalled: nothing, waiting: nothing, failedRuns: nothing, accounts: nothing });
    const broken = { name: "election", ok: false, reason: "no leader" };
    const firstLine = (model: StatusModel) => /<p class="big \w+">(.*?)<\/p>/.exec(statusPage(model))?.[1];
    expect(firstLine(calm)).toBe("Working. No object needs an action.");
    expect(firstLine(statusModel({ stalled: nothing }))).toBe("1 account cannot send requests now.");
    expect(firstLine(statusModel())).toBe("3 objects need an action.");
    const one = { items: statusModel().stalled.items.slice(0, 1), total: 1 };
    expect(firstLine({ ...statusModel(), stalled: one })).toBe("1 object needs an action.");
    expect(firstLine(statusModel({ checks: [broken] }))).toBe("Not ready: 1 check failed.");
  });

  test("has what a person on call asks for", () => {
    const text = textOf(statusPage(statusModel()));
    for (const line of [
      "This replica is the leader.",
      "195 of 1000 requests left. The operator sent 611, other clients about 194. Reset in 11m.",
      "Polls are 2.4 times less frequent. Drift checks are 6.1 times less frequent. Postponed and still to be sent: 14 requests.",
      "RunList shop/etl",
      "for 47m · next check in 20s",
      "for 3h10m · next check in 23m",
      "and 1 more",
      "running for 12s",
      "4s, 9m ago",
      "197 Ready, 13 in progress, 2 Stalled, 2 suspended",
      "namespace team-b: forbidden, list northflankjobs",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).not.toContain("NaN");
    expect(text).not.toContain("undefined");
  });

  test("of a standby names the leader", () => {
    const text = textOf(statusPage(statusModel({ role: "standby", leader: "pod-1_u" })));
    expect(text).toContain("This replica is a standby. The leader is \npod-1_u");
  });

  test("draws the quota of the last hour, within its frame", () => {
    const page = statusPage(statusModel());
    const [, points = ""] = /<polyline class="edge" points="([^"]*)"/.exec(page) ?? [];
    const drawn = points.split(" ").map((point) => point.split(",").map(Number));
    expect(drawn.length).toBe(61);
    for (const [x = Number.NaN, y = Number.NaN] of drawn) {
      expect(x).toBeGreaterThanOrEqual(38);
      expect(x).toBeLessThanOrEqual(360);
      expect(y).toBeGreaterThanOrEqual(8);
      expect(y).toBeLessThanOrEqual(92);
    }
    expect(page).toContain('aria-label="Requests left in the last hour: from 420 to 195 of 1000."');
  });

  test("cuts long texts, astral characters included", () => {
    const page = statusPage(withText("𝕏".repeat(100_000)));
    expect(page.length).toBeLessThan(100_000);
    expect(page).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });
});
