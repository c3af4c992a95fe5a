import type { ASTNode } from "@marcbachmann/cel-js";
import { escapeName } from "./cel-environment.ts";
import type { Schema } from "./types.ts";

/**
 * Names every field that an expression reads although the schema of `self` does not declare it, in order of
 * appearance. The library knows no types, the real server does: without this a misspelt field would pass here and be
 * refused there.
 */
export function undefinedFields(expression: ASTNode, self: Schema): readonly string[] {
  const found: string[] = [];
  const variables = new Map<string, Known>([
    ["self", self],
    ["oldSelf", self],
  ]);
  schemaOf(expression, variables, found);
  return found;
}

/** What is known of a value: its schema, or nothing. */
type Known = Schema | undefined;

function schemaOf(node: ASTNode, variables: ReadonlyMap<string, Known>, found: string[]): Known {
  switch (node.op) {
    case "id":
      return variables.get(node.args);
    case "value":
      return undefined;
    case ".":
    case ".?":
      return fieldOf(schemaOf(node.args[0], variables, found), node.args[1], found);
    case "[]":
    case "[?]": {
      const parent = schemaOf(node.args[0], variables, found);
      schemaOf(node.args[1], variables, found);
      return elementOf(parent);
    }
    case "rcall":
      return callOn(node.args, variables, found);
    case "call":
      for (const argument of node.args[1]) schemaOf(argument, variables, found);
      return undefined;
    case "map":
      for (const [key, value] of node.args) {
        schemaOf(key, variables, found);
        schemaOf(value, variables, found);
      }
      return undefined;
    case "!_":
    case "-_":
      schemaOf(node.args, variables, found);
      return undefined;
    default:
      for (const part of node.args) schemaOf(part, variables, found);
      return undefined;
  }
}

function fieldOf(parent: Known, name: string, found: string[]): Known {
  if (parent === undefined || parent.type !== "object") return undefined;
  if (typeof parent.additionalProperties === "object") return parent.additionalProperties;
  const declared = Object.entries(parent.properties ?? {}).find(([own]) => escapeName(own) === name);
  if (declared !== undefined) return declared[1];
  if (parent["x-kubernetes-preserve-unknown-fields"] !== true) found.push(name);
  return undefined;
}

function elementOf(parent: Known): Known {
  if (parent?.type === "array") return parent.items;
  return typeof parent?.additionalProperties === "object" ? parent.additionalProperties : undefined;
}

const loops = new Set(["all", "exists", "exists_one", "existsOne", "filter", "map"]);

function callOn(
  [name, receiver, parameters]: readonly [string, ASTNode, readonly ASTNode[]],
  variables: ReadonlyMap<string, Known>,
  found: string[],
): Known {
  if (name === "bind" && receiver.op === "id" && receiver.args === "cel") return bind(parameters, variables, found);
  const parent = schemaOf(receiver, variables, found);
  const [variable, ...rest] = parameters;
  if (!loops.has(name) || variable?.op !== "id") {
    for (const parameter of parameters) schemaOf(parameter, variables, found);
    return undefined;
  }
  // A loop over a list runs over its items, over a map over its keys.
  const item = parent?.type === "array" ? parent.items : undefined;
  const inner = new Map([...variables, [variable.args, item] as const]);
  for (const part of rest) schemaOf(part, inner, found);
  return name === "filter" ? parent : undefined;
}

function bind(parameters: readonly ASTNode[], variables: ReadonlyMap<string, Known>, found: string[]): Known {
  const [variable, value, body] = parameters;
  if (variable?.op !== "id" || value === undefined || body === undefined) return undefined;
  const inner = new Map([...variables, [variable.args, schemaOf(value, variables, found)] as const]);
  return schemaOf(body, inner, found);
}
