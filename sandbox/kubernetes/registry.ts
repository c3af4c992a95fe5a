import { metadataSchema } from "./metadata.ts";
import type { Resource, Schema } from "./types.ts";

/** Every resource that is served right now. */
export class Registry {
  readonly #resources = new Map<string, Resource>();
  readonly #whole = new WeakMap<Resource, Schema>();

  constructor(resources: readonly Resource[]) {
    for (const resource of resources) this.add(resource);
  }

  add(resource: Resource): void {
    this.#resources.set(keyOf(resource.group, resource.version, resource.plural), resource);
  }

  /** Removes every version of a resource. */
  remove(group: string, plural: string): void {
    for (const [key, resource] of this.#resources) {
      if (resource.group === group && resource.plural === plural) this.#resources.delete(key);
    }
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#resources.get(keyOf(group, version, plural));
  }

  all(): readonly Resource[] {
    return [...this.#resources.values()];
  }

  of(group: string, version: string): readonly Resource[] {
    return this.all().filter((resource) => resource.group === group && resource.version === version);
  }

  /** Group names with their versions, in the order they were added; the core group has the name "". */
  groups(): ReadonlyMap<string, readonly string[]> {
    const groups = new Map<string, string[]>();
    for (const { group, version } of this.#resources.values()) {
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      groups.set(group, versions);
    }
    return groups;
  }

  /** The schema of the whole object: the resource's own with `apiVersion`, `kind` and `metadata`. */
  wholeSchema(resource: Resource): Schema {
    let schema = this.#whole.get(resource);
    if (schema === undefined) {
      const own = resource.schema;
      const properties = { ...own.properties, apiVersion: text, kind: text, metadata: metadataSchema };
      schema = { ...own, type: "object", properties };
      this.#whole.set(resource, schema);
    }
    return schema;
  }
}

const text: Schema = { type: "string" };

function keyOf(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}
