import { Environment } from "@marcbachmann/cel-js";
import { isObject, type Schema } from "./types.ts";

/**
 * The CEL that validation rules see: `self`, `oldSelf`, the standard functions and those of the Kubernetes libraries
 * that are registered below. Anything else is refused when a rule is compiled.
 */
export function celEnvironment(): Environment {
  const environment = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
    .registerVariable("self", "dyn")
    .registerVariable("oldSelf", "dyn")
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text));
  registerStrings(environment);
  registerLists(environment);
  registerUrls(environment);
  return environment;
}

/** Turns JSON into what CEL computes with: integers become 64-bit, dates become timestamps, names are escaped. */
export function toCel(value: unknown, schema: Schema): unknown {
  if (typeof value === "number") return schema.type !== "number" && Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === "string") return schema.format === "date-time" ? new Date(value) : value;
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema.items ?? {}));
  if (!isObject(value)) return value;
  // A map, because cel-js takes an object with a key named `constructor` for something else.
  const result = new Map<string, unknown>();
  for (const [key, item] of Object.entries(value)) {
    // A field that may be null and is: has() says that it is not there.
    if (item === null) continue;
    const declared = schema.properties !== undefined && Object.hasOwn(schema.properties, key);
    const extra = typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
    const child = declared ? (schema.properties?.[key] ?? {}) : extra;
    result.set(declared ? escapeName(key) : key, toCel(item, child));
  }
  return result;
}

/** Field names as rules have to write them: `my-field` is `my__dash__field`, the keyword `namespace` is `__namespace__`. */
export function escapeName(name: string): string {
  if (reserved.has(name)) return `__${name}__`;
  return name
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}

const reserved = new Set(
  (
    "true false null in as break const continue else for function if import let loop package namespace return var " +
    "void while"
  ).split(" "),
);

function registerStrings(environment: Environment): void {
  environment
    .registerFunction("string.find(string): string", (text: string, pattern: string) => {
      return new RegExp(pattern, "u").exec(text)?.[0] ?? "";
    })
    .registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) => {
      return text.match(new RegExp(pattern, "gu")) ?? [];
    })
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) => {
      return text.replaceAll(from, () => to);
    });
}

function registerLists(environment: Environment): void {
  environment
    .registerFunction("list.isSorted(): bool", (list: readonly unknown[]) => {
      return list.every((item, index) => index === 0 || compare(list[index - 1], item) <= 0);
    })
    .registerFunction("list.min(): dyn", (list: readonly unknown[]) => extreme(list, -1))
    .registerFunction("list.max(): dyn", (list: readonly unknown[]) => extreme(list, 1))
    .registerFunction("list.indexOf(dyn): int", (list: readonly unknown[], item: unknown) => BigInt(list.indexOf(item)))
    .registerFunction("list.lastIndexOf(dyn): int", (list: readonly unknown[], item: unknown) => {
      return BigInt(list.lastIndexOf(item));
    })
    .registerFunction("list.sum(): dyn", (list: readonly unknown[]) => {
      return list.every((item) => typeof item === "bigint")
        ? list.reduce<bigint>((sum, item) => sum + BigInt(item as bigint), 0n)
        : list.reduce<number>((sum, item) => sum + Number(item), 0);
    });
}

function extreme(list: readonly unknown[], sign: 1 | -1): unknown {
  if (list.length === 0) throw new Error("min/max called on empty list");
  return list.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
}

function compare(left: unknown, right: unknown): number {
  const [a, b] = [left as string, right as string];
  return a < b ? -1 : a > b ? 1 : 0;
}

class CelUrl {
  readonly url: URL;

  constructor(text: string) {
    this.url = new URL(text);
  }
}

function registerUrls(environment: Environment): void {
  environment
    .registerType("URL", CelUrl)
    .registerFunction("url(string): URL", (text: string) => new CelUrl(text))
    .registerFunction("URL.getScheme(): string", ({ url }: CelUrl) => url.protocol.replace(/:$/, ""))
    .registerFunction("URL.getHost(): string", ({ url }: CelUrl) => url.host)
    .registerFunction("URL.getHostname(): string", ({ url }: CelUrl) => url.hostname.replace(/^\[(.*)\]$/, "$1"))
    .registerFunction("URL.getPort(): string", ({ url }: CelUrl) => url.port)
    .registerFunction("URL.getEscapedPath(): string", ({ url }: CelUrl) => url.pathname);
}
