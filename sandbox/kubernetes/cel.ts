import type { Environment, ParseResult } from "@marcbachmann/cel-js";
import { celEnvironment, escapeName, toCel } from "./cel-environment.ts";
import { undefinedFields } from "./cel-types.ts";
import { jsonEqual } from "./equal.ts";
import { join } from "./schema-validation.ts";
import { elementOf } from "./typed-values.ts";
import { type FieldError, type FieldErrorKind, isObject, type Schema, type ValidationRule } from "./types.ts";

/** The compiled `x-kubernetes-validations` of a schema: finds what an object breaks, compared with what it was. */
export type RuleCheck = (object: unknown, old: unknown) => FieldError[];

/**
 * Compiles every rule of the schema. Returns `undefined` when there are none.
 *
 * *Errors*: throws {@link RuleSyntaxError} for a rule or message expression that cannot be parsed or uses something
 * this sandbox does not know, so that no rule is ever silently ignored.
 */
export function compileRules(schema: Schema): RuleCheck | undefined {
  const root = compileNode(schema, [], celEnvironment());
  if (root === undefined) return undefined;
  return (object, old) => {
    const errors: FieldError[] = [];
    checkNode(root, pairOf(object, schema), old === undefined ? undefined : pairOf(old, schema), "", errors);
    return errors;
  };
}

export class RuleSyntaxError extends Error {
  override readonly name = "RuleSyntaxError";
  readonly findings: readonly FieldError[];

  constructor(findings: readonly FieldError[]) {
    super(findings.map(({ path, detail }) => `${path}: ${detail}`).join("; "));
    this.findings = findings;
  }
}

interface CompiledRule {
  readonly source: ValidationRule;
  readonly evaluate: ParseResult;
  readonly message: ParseResult | undefined;
  /** Uses `oldSelf`: evaluated only when there is an old value. */
  readonly isTransition: boolean;
}

interface RuleNode {
  readonly schema: Schema;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly entries: RuleNode | undefined;
  readonly items: RuleNode | undefined;
}

/** A value as JSON and as CEL sees it. */
interface Pair {
  readonly json: unknown;
  readonly cel: unknown;
}

function pairOf(json: unknown, schema: Schema): Pair {
  return { json, cel: toCel(json, schema) };
}

function compileNode(schema: Schema, path: readonly string[], environment: Environment): RuleNode | undefined {
  const rules = (schema["x-kubernetes-validations"] ?? []).map((rule, index) =>
    compileRule(rule, schema, [...path, `x-kubernetes-validations[${index}]`], environment),
  );
  const properties = new Map<string, RuleNode>();
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const node = compileNode(child, [...path, `properties[${name}]`], environment);
    if (node !== undefined) properties.set(name, node);
  }
  const extra = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
  const entries = extra && compileNode(extra, [...path, "additionalProperties"], environment);
  const items = schema.items && compileNode(schema.items, [...path, "items"], environment);
  if (rules.length === 0 && properties.size === 0 && entries === undefined && items === undefined) return undefined;
  return { schema, rules, properties, entries, items };
}

function compileRule(
  rule: ValidationRule,
  schema: Schema,
  path: readonly string[],
  environment: Environment,
): CompiledRule {
  const at = `openAPIV3Schema.${path.join(".")}`;
  const compile = (text: string, part: string) => compileExpression(text, schema, `${at}.${part}`, environment);
  return {
    source: rule,
    evaluate: compile(rule.rule, "rule"),
    message: rule.messageExpression === undefined ? undefined : compile(rule.messageExpression, "messageExpression"),
    isTransition: /\boldSelf\b/.test(rule.rule),
  };
}

function compileExpression(text: string, schema: Schema, path: string, environment: Environment): ParseResult {
  try {
    const parsed = environment.parse(text);
    const checked = parsed.check();
    if (!checked.valid) throw checked.error ?? new Error("invalid");
    const [unknown] = undefinedFields(parsed.ast, schema);
    if (unknown !== undefined) throw new Error(`undefined field '${unknown}'`);
    return parsed;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RuleSyntaxError([{ kind: "invalid", path, value: text, detail: `compilation failed: ERROR: ${reason}` }]);
  }
}

function checkNode(node: RuleNode, value: Pair, old: Pair | undefined, path: string, errors: FieldError[]): void {
  if (value.json === undefined || value.json === null) return;
  const unchanged = old !== undefined && jsonEqual(value.json, old.json);
  for (const rule of node.rules) {
    // Ratcheting: what was there before and did not change is not held against the writer.
    if (unchanged && !rule.isTransition) continue;
    const error = checkRule(rule, value, old, path);
    if (error !== undefined) errors.push(error);
  }
  if (Array.isArray(value.json)) checkItems(node, value, old, path, errors);
  else if (isObject(value.json)) checkFields(node, value, old, path, errors);
}

function checkFields(node: RuleNode, value: Pair, old: Pair | undefined, path: string, errors: FieldError[]): void {
  const json = value.json as Record<string, unknown>;
  const before = isObject(old?.json) ? old.json : {};
  for (const name of Object.keys(json)) {
    const declared = node.schema.properties !== undefined && Object.hasOwn(node.schema.properties, name);
    const child = declared ? node.properties.get(name) : node.entries;
    if (child === undefined) continue;
    const key = declared ? escapeName(name) : name;
    const oldChild = Object.hasOwn(before, name) ? { json: before[name], cel: celChild(old?.cel, key) } : undefined;
    checkNode(child, { json: json[name], cel: celChild(value.cel, key) }, oldChild, join(path, name), errors);
  }
}

function checkItems(node: RuleNode, value: Pair, old: Pair | undefined, path: string, errors: FieldError[]): void {
  const items = node.items;
  if (items === undefined) return;
  const json = value.json as readonly unknown[];
  const cel = value.cel as readonly unknown[];
  const isMap = node.schema["x-kubernetes-list-type"] === "map";
  const before = isMap && Array.isArray(old?.json) ? old.json : [];
  for (const [index, item] of json.entries()) {
    const element = isMap ? elementOf(item, node.schema) : undefined;
    const at = element === undefined ? -1 : before.findIndex((other) => elementOf(other, node.schema) === element);
    const oldCel = Array.isArray(old?.cel) ? old.cel : [];
    const oldItem = at < 0 ? undefined : { json: before[at], cel: oldCel[at] as unknown };
    checkNode(items, { json: item, cel: cel[index] }, oldItem, `${path}[${index}]`, errors);
  }
}

function celChild(parent: unknown, key: string): unknown {
  return parent instanceof Map ? parent.get(key) : undefined;
}

function checkRule(rule: CompiledRule, value: Pair, old: Pair | undefined, path: string): FieldError | undefined {
  if (rule.isTransition && old === undefined) return undefined;
  const context = old === undefined ? { self: value.cel } : { self: value.cel, oldSelf: old.cel };
  const at = fieldPathOf(rule, path);
  try {
    if (rule.evaluate(context) === true) return undefined;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    const detail = `${reason} evaluating rule: ${rule.source.message ?? rule.source.rule}`;
    return { kind: "invalid", path: at, detail };
  }
  return { kind: kindOf(rule.source.reason), path: at, detail: messageOf(rule, context) };
}

function fieldPathOf(rule: CompiledRule, path: string): string {
  const { fieldPath } = rule.source;
  if (fieldPath === undefined) return path === "" ? "<nil>" : path;
  const below = fieldPath.replace(/^\./, "").replaceAll(/\['([^']+)'\]/g, (_, name: string) => `.${name}`);
  return path === "" ? below : `${path}.${below}`.replace("..", ".");
}

function kindOf(reason: string | undefined): FieldErrorKind {
  switch (reason) {
    case "FieldValueForbidden":
      return "forbidden";
    case "FieldValueRequired":
      return "required";
    case "FieldValueDuplicate":
      return "duplicate";
    default:
      return "invalid";
  }
}

function messageOf(rule: CompiledRule, context: object): string {
  const fallback = rule.source.message ?? `failed rule: ${rule.source.rule.trim()}`;
  if (rule.message === undefined) return fallback;
  try {
    const text: unknown = rule.message(context);
    // The real server falls back in the same way when the expression fails, is blank or has line breaks.
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") ? text.trim() : fallback;
  } catch {
    return fallback;
  }
}
