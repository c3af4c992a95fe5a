import { isObject, type JsonObject } from "./types.ts";

/**
 * A set of paths into an object, in the tree form of `FieldsV1`. A path is a list of elements in their wire form:
 * `f:NAME` (field or map entry), `k:{"key":"value"}` (item of a list map), `v:VALUE` (item of a list set).
 *
 *     {f:spec: {.: {}, f:size: {}}}   =   members of the root: none; child f:spec, itself a member, with member f:size
 *
 * *Guarantees*: immutable. Every operation returns a new set.
 */
export class FieldSet {
  /** Elements that are in the set themselves. */
  readonly members: ReadonlySet<string>;
  /** Elements below which something is in the set. */
  readonly children: ReadonlyMap<string, FieldSet>;

  static readonly empty = new FieldSet(new Set(), new Map());

  constructor(members: ReadonlySet<string>, children: ReadonlyMap<string, FieldSet>) {
    this.members = members;
    this.children = children;
  }

  static of(...paths: readonly (readonly string[])[]): FieldSet {
    const builder = new FieldSetBuilder();
    for (const path of paths) builder.insert(path);
    return builder.build();
  }

  static parse(fields: JsonObject): FieldSet {
    const members = new Set<string>();
    const children = new Map<string, FieldSet>();
    for (const [element, below] of Object.entries(fields)) {
      if (element === "." || !isObject(below)) continue;
      const keys = Object.keys(below);
      if (keys.length === 0 || keys.includes(".")) members.add(element);
      const child = FieldSet.parse(below);
      if (!child.isEmpty) children.set(element, child);
    }
    return new FieldSet(members, children);
  }

  get isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  child(element: string): FieldSet {
    return this.children.get(element) ?? FieldSet.empty;
  }

  toFields(): JsonObject {
    const fields: JsonObject = {};
    for (const element of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      const below = this.children.get(element)?.toFields() ?? {};
      fields[element] = this.members.has(element) && Object.keys(below).length > 0 ? { ".": {}, ...below } : below;
    }
    return fields;
  }

  union(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      (here, there) => here || there,
      (mine, theirs) => mine.union(theirs),
    );
  }

  intersection(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      (here, there) => here && there,
      (mine, theirs) => mine.intersection(theirs),
    );
  }

  /** Removes exactly the paths of `other`, not what is below them. */
  difference(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      (here, there) => here && !there,
      (mine, theirs) => mine.difference(theirs),
    );
  }

  /** Removes the paths of `other` and everything below them. */
  without(other: FieldSet): FieldSet {
    const members = new Set([...this.members].filter((element) => !other.members.has(element)));
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.children) {
      if (other.members.has(element)) continue;
      const rest = child.without(other.child(element));
      if (!rest.isEmpty) children.set(element, rest);
    }
    return new FieldSet(members, children);
  }

  equals(other: FieldSet): boolean {
    if (this.members.size !== other.members.size || this.children.size !== other.children.size) return false;
    for (const element of this.members) if (!other.members.has(element)) return false;
    for (const [element, child] of this.children) if (!child.equals(other.child(element))) return false;
    return true;
  }

  /** Every path of the set: on each level the members, then what is below, both in alphabetical order. */
  paths(prefix: readonly string[] = []): string[][] {
    const members = [...this.members].sort().map((element) => [...prefix, element]);
    const below = [...this.children.keys()].sort();
    return [...members, ...below.flatMap((element) => this.child(element).paths([...prefix, element]))];
  }

  #combine(
    other: FieldSet,
    keep: (here: boolean, there: boolean) => boolean,
    below: (mine: FieldSet, theirs: FieldSet) => FieldSet,
  ): FieldSet {
    const members = new Set<string>();
    for (const element of new Set([...this.members, ...other.members])) {
      if (keep(this.members.has(element), other.members.has(element))) members.add(element);
    }
    const children = new Map<string, FieldSet>();
    for (const element of new Set([...this.children.keys(), ...other.children.keys()])) {
      const child = below(this.child(element), other.child(element));
      if (!child.isEmpty) children.set(element, child);
    }
    return new FieldSet(members, children);
  }
}

/** Collects paths into a {@link FieldSet}. */
export class FieldSetBuilder {
  readonly #members = new Set<string>();
  readonly #children = new Map<string, FieldSetBuilder>();

  /** Adds a path of at least one element; an empty path is ignored, as an object does not own itself. */
  insert(path: readonly string[], from = 0): void {
    const element = path[from];
    if (element === undefined) return;
    if (from === path.length - 1) {
      this.#members.add(element);
      return;
    }
    let child = this.#children.get(element);
    if (child === undefined) {
      child = new FieldSetBuilder();
      this.#children.set(element, child);
    }
    child.insert(path, from + 1);
  }

  build(): FieldSet {
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.#children) children.set(element, child.build());
    return new FieldSet(this.#members, children);
  }
}

/** A path as conflict messages print it: `.spec.refs[name="one"].key`. */
export function printPath(path: readonly string[]): string {
  return path.map(printElement).join("");
}

function printElement(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
}
