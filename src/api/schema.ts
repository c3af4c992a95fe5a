/**
 * The one source of every resource: plain objects that are JSON Schema as far as a CustomResourceDefinition takes it.
 * `scripts/generate.ts` writes `crds/*.yaml` from them, `validate.ts` compiles the very same objects with Ajv, and
 * {@link Infer} makes the TypeScript types. What a CRD refuses is not expressible here: a keyword that CRDs do not have,
 * a field without description, a string, list or map without bound is a compile error.
 *
 * Objects are closed: a field that `properties` does not name is unknown (the API server prunes it or, asked for strict
 * validation, refuses it; `validate.ts` refuses it or tolerates it by its mode).
 */
export type Schema = EnumSchema | TextSchema | IntegerSchema | BooleanSchema | ObjectSchema | MapSchema | ListSchema;

interface Described {
  /** What `kubectl explain` prints: meaning, unit, default, what happens. */
  readonly description: string;
  readonly nullable?: true;
  readonly "x-kubernetes-validations"?: readonly Rule[];
}

export interface EnumSchema extends Described {
  readonly type: "string";
  readonly enum: readonly string[];
  readonly default?: string;
}

export interface TextSchema extends Described {
  readonly type: "string";
  readonly maxLength: number;
  readonly minLength?: number;
  /** Anchored, in the common subset of RE2 and JavaScript, and linear in both (see test/api/patterns.test.ts). */
  readonly pattern?: string;
  /**
   * What the pattern refuses is refused by `x-kubernetes-validations` too, in words. The CRD goes without the pattern, so
   * that people read a sentence; editors, which cannot run rules, have it.
   */
  readonly isPatternInRules?: true;
  /** A better sentence about a text that breaks the pattern, for the offline check and the operator. Never quotes it. */
  readonly explain?: (text: string) => string | undefined;
  /** The text is base64, and what it stands for is what matters. */
  readonly isBase64?: true;
  readonly format?: "date-time";
  readonly default?: string;
}

export interface IntegerSchema extends Described {
  readonly type: "integer";
  readonly format: "int32" | "int64";
  readonly minimum: number;
  readonly maximum?: number;
  readonly default?: number;
}

export interface BooleanSchema extends Described {
  readonly type: "boolean";
  readonly default?: boolean;
}

export interface ObjectSchema extends Described {
  readonly type: "object";
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly default?: object;
  readonly additionalProperties?: never;
  readonly "x-kubernetes-map-type"?: "atomic";
}

export interface MapSchema extends Described {
  readonly type: "object";
  readonly additionalProperties: Schema;
  readonly maxProperties: number;
  /** CRDs do not know `propertyNames`: Ajv reads it here, the generator turns it into a CEL rule. */
  readonly propertyNames: { readonly pattern: string; readonly maxLength: number };
  readonly properties?: never;
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
}

export interface ListSchema extends Described {
  readonly type: "array";
  readonly items: Schema;
  readonly maxItems: number;
  readonly minItems?: number;
  readonly "x-kubernetes-list-type": "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

/**
 * A CEL rule with its mirror in TypeScript. `check` answers what `rule` answers, for values that the schema has found
 * to be of the right types; it is run by `validate.ts` and never written into a CRD.
 */
export interface Rule {
  /** Short name in kebab-case: the `rule` of a problem that `validate.ts` reports, and the name of its test rows. */
  readonly name: string;
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
  /** The field the rule is about, from where the rule stands: `.jobId`. */
  readonly fieldPath?: string;
  /** A transition rule reads `oldSelf` and is left out when there is no earlier value. */
  check(self: never, oldSelf: never): boolean;
}

/** The TypeScript type of the values a schema describes, as they are once the API server has filled in defaults. */
export type Infer<S> = (S extends { readonly nullable: true } ? null : never) | InferValue<S>;

type InferValue<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: "string" }
    ? string
    : S extends { readonly type: "integer" }
      ? number
      : S extends { readonly type: "boolean" }
        ? boolean
        : S extends { readonly items: infer I }
          ? readonly Infer<I>[]
          : S extends { readonly additionalProperties: infer A extends Schema }
            ? Readonly<Record<string, Infer<A>>>
            : S extends { readonly properties: infer P }
              ? InferObject<P, S extends { readonly required: readonly (infer R)[] } ? R : never>
              : never;

type InferObject<P, R> = Flat<
  { readonly [K in PresentKeys<P, R>]: Infer<P[K]> } & {
    readonly [K in Exclude<keyof P, PresentKeys<P, R>>]?: Infer<P[K]>;
  }
>;

/** Required fields, and those with a default: the server has filled them in. */
type PresentKeys<P, R> = {
  [K in keyof P]: K extends R ? K : P[K] extends { readonly default: unknown } ? K : never;
}[keyof P];

type Flat<T> = { [K in keyof T]: T[K] };
