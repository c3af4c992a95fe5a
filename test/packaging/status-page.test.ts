import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer, { type Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HttpServer, startHttpServer } from "../../src/http-server.ts";
import { StatusPage } from "../../src/operator/status-page.ts";
import { statusPage } from "../../src/status-page/page.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { statusModel } from "../support/status-models.ts";

/*
 * The status page in a browser: Chromium of the system (Debian package chromium), or that of CHROMIUM_PATH. Where there is
 * none, these tests are skipped.
 */

const candidates = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
const chromium = candidates.find((path) => path !== undefined && existsSync(path));
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The headers of the real answer, so that its policy is what the browser enforces. */
function headersOfAnswer(): Readonly<Record<string, string>> {
  const page = new StatusPage({ config: { docsUrl: undefined }, identity: "pod", clock: new FakeClock() });
  page.start({
    manager: { checks: () => [] },
    controllers: [],
    caches: [],
    apis: { pools: () => [], spending: () => undefined, stretch: () => 1 },
    checkStretch: () => 1,
    leadership: { isLeaderFor: () => true, holder: () => undefined },
  });
  const { headers = {} } = page.answer();
  page[Symbol.dispose]();
  return headers;
}

describe.skipIf(chromium === undefined)("the status page in Chromium", () => {
  let server: HttpServer;
  let browser: Browser;

  beforeAll(async () => {
    const long = "x".repeat(500);
    const usual = statusModel({ docsUrl: "https://docs.example.com/runbook" });
    const item = usual.stalled.items[0];
    const models = {
      "/": usual,
      "/long": { ...usual, stalled: { items: item ? [{ ...item, name: long, message: long }] : [], total: 1 } },
    };
    const headers = headersOfAnswer();
    const routes = Object.fromEntries(
      Object.entries(models).map(([path, model]) => [
        path,
        () => ({ status: 200, contentType: "text/html; charset=utf-8", headers, body: statusPage(model) }),
      ]),
    );
    const onError = (error: unknown) => {
      throw error;
    };
    server = await startHttpServer({ host: "127.0.0.1", port: 0, routes, onError });
    browser = await puppeteer.launch({ executablePath: chromium ?? "", args: ["--no-sandbox"] });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(path: string, options: { readonly width: number; readonly scheme: "light" | "dark" }) {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.setViewport({ width: options.width, height: 800 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: options.scheme }]);
    await page.goto(`http://${server.address}${path}`, { waitUntil: "load" });
    return { page, complaints, requests };
  }

  test.each([
    [360, "light"],
    [360, "dark"],
    [1_280, "light"],
    [1_280, "dark"],
  ] as const)("has no finding of axe at %i pixels, %s", async (width, scheme) => {
    const { page } = await open("/", { width, scheme });
    // The policy allows no script: that of the test comes from outside of the page.
    await page.setBypassCSP(true);
    await page.reload({ waitUntil: "load" });
    await page.addScriptTag({ path: axe });
    const results = await page.evaluate("axe.run()");
    const { violations, passes } = results as {
      readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
      readonly passes: readonly unknown[];
    };
    expect(passes.length).toBeGreaterThan(10);
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  });

  test.each(["/", "/long"])("%s needs no sideways scrolling on a phone", async (path) => {
    const { page } = await open(path, { width: 360, scheme: "light" });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  });

  test("its style is in force under its policy, differs in the dark, and nothing else is requested", async () => {
    const [light, dark] = [
      await open("/", { width: 360, scheme: "light" }),
      await open("/", { width: 360, scheme: "dark" }),
    ];
    const background = "getComputedStyle(document.body).backgroundColor";
    expect(await light.page.evaluate(background)).toBe("rgb(255, 255, 255)");
    expect(await dark.page.evaluate(background)).toBe("rgb(15, 20, 25)");
    // A browser asks for an icon by itself.
    expect(light.requests.filter((path) => path !== "/favicon.ico")).toEqual(["/"]);
    expect(light.complaints.filter((text) => !/404/.test(text))).toEqual([]);
  });
});
