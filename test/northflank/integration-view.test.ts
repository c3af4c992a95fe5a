import { describe, expect, test } from "vitest";
import { mergeIntegrations, toIntegrationPage, toIntegrationView } from "../../src/northflank/integration-view.ts";

const item = {
  id: "65f0a1",
  name: "hook",
  type: "RAW_WEBHOOK",
  webhook: "https://hooks.example.com/x",
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};

const read = {
  id: "65f0a1",
  name: "hook",
  type: "RAW_WEBHOOK",
  webhook: "https://hooks.example.com/x",
  createdAtMs: Date.parse("2026-01-01T00:00:00Z"),
  isDisabled: false,
  disabledReason: undefined,
};

describe("an integration as Northflank returns it", () => {
  test.each<[string, object, object]>([
    ["without a status", {}, {}],
    ["enabled", { status: { disabled: false } }, {}],
    ["disabled, with a boolean for the reason", { status: { disabled: true, reason: true } }, { isDisabled: true }],
    [
      "disabled, with words for the reason",
      { status: { disabled: true, reason: "Too many failures" } },
      { isDisabled: true, disabledReason: "Too many failures" },
    ],
    ["with a time that is none", { createdAt: "yesterday" }, { createdAtMs: undefined }],
    ["with fields of other types", { name: 1, status: "off" }, { name: undefined }],
    ["with an id that is too long for a status", { id: "x".repeat(500) }, { id: "x".repeat(128) }],
  ])("%s", (_, more, expected) => {
    const answer = { data: { notificationIntegrations: [{ ...item, ...more }] } };
    expect(toIntegrationPage(answer)?.items).toEqual([{ ...read, ...expected }]);
  });

  test("entries without an id are left out, and what is no list is none", () => {
    const page = { data: { notificationIntegrations: [{ name: "x" }, "x", null, item] } };
    expect(toIntegrationPage(page)?.items).toEqual([read]);
    expect([toIntegrationPage({ data: {} }), toIntegrationPage("x"), toIntegrationView([])]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("in detail shows the events that are on", () => {
    const events = { "trigger:build:start": true, "trigger:build:failure": false };
    const detail = { restricted: true, projects: ["shop", 1] };
    expect(toIntegrationView({ ...item, ...detail, events })).toEqual({
      ...read,
      ...{ restricted: true, projects: ["shop"], events: ["trigger:build:start"] },
    });
    const untold = { restricted: undefined, projects: undefined, events: undefined };
    expect(toIntegrationView(item)).toEqual({ ...read, ...untold });
  });

  test("on several pages stand once, the oldest first, those of unknown age last", () => {
    const aged = (id: string, createdAtMs: number | undefined) => ({ ...read, id, createdAtMs });
    const pages = [
      [aged("c", 2), aged("z", undefined)],
      [aged("b", 1), aged("c", 2), aged("a", 2)],
    ];
    expect(mergeIntegrations(pages).map(({ id }) => id)).toEqual(["b", "a", "c", "z"]);
  });
});
