import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { isRecord } from "../util/records.ts";
import { unreplacedMessage, unreplacedSentence } from "../util/unreplaced.ts";
import { findKind, type KindDefinition, kinds } from "./kinds.ts";
import { metadataSchema } from "./metadata.ts";
import { givenMetadata, metadataLimits } from "./metadata-limits.ts";
import { apiVersion, group } from "./names.ts";
import { sizeProblems } from "./object-size.ts";
import { type Problem, problem, problemsOf, quoted, sorted } from "./problem.ts";
import { forbiddenReferences } from "./reference-uses.ts";
import { type BrokenRule, brokenRules, duplicateItems } from "./rules.ts";
import type { ObjectSchema, Schema } from "./schema.ts";
import { asStored, type Path, unknownFields } from "./stored.ts";
import { didYouMean } from "./suggest.ts";
import { unknownFieldRemedy } from "./unknown-field.ts";

export interface Validator {
  /**
   * Judges a whole document as `kubectl apply --validate=strict` and the API server would: unknown fields are bad.
   * `old` is the object that is there already, for rules about changes.
   */
  readonly validateManifest: (object: unknown, old?: unknown) => readonly Problem[];
  /**
   * Judges the spec of an object that the API server has let in. Unknown fields are tolerated: a newer schema may have
   * brought them.
   */
  readonly validateSpec: (kind: string, spec: unknown) => readonly Problem[];
}

/**
 * A validator for all kinds. Each schema is compiled when it is first needed and once only.
 *
 * *Guarantees*: never throws for any JSON value; problems come in a stable order, by field and then by rule; time grows
 * linearly with the document.
 */
export function createValidator(): Validator {
  const compiled = new Map<Schema, ValidateFunction>();
  const ajv = createAjv();
  const structure = (schema: Schema): ValidateFunction => {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const validate = ajv.compile(schema);
    compiled.set(schema, validate);
    return validate;
  };
  const judge = (options: Judged): readonly Problem[] => judgeWith(structure, options);
  return {
    validateManifest: (object, old) => manifestProblems(judge, object, old),
    validateSpec: (kind, spec) => {
      const definition = findKind(kind);
      if (definition === undefined) return [kindProblem(kind)];
      return sorted([
        ...judge({ schema: definition.spec, value: spec, root: ["spec"] }),
        ...referenceProblems(definition, spec),
      ]);
    },
  };
}

interface Judged {
  readonly schema: Schema;
  readonly value: unknown;
  readonly old?: unknown;
  /** Where `value` stands in the object. */
  readonly root: Path;
  /** Unknown fields are refused, with what may have been meant of this spec. Undefined: they are tolerated. */
  readonly strictFor?: ObjectSchema;
}

function judgeWith(structure: (schema: Schema) => ValidateFunction, judged: Judged): readonly Problem[] {
  const { schema, root, strictFor } = judged;
  const value = asStored(schema, judged.value);
  const validate = structure(schema);
  const errors = validate(value) ? [] : (validate.errors ?? []);
  const areRulesRun = !errors.some(blocksRules);
  const structural = problemsOf(areRulesRun ? errors.filter((error) => !isSaidByRules(error)) : errors, root);
  const unknown = strictFor === undefined ? [] : strayProblems(judged, strictFor);
  const duplicates = duplicateItems(schema, value).map((path) => duplicate([...root, ...path]));
  const tooLong = new Set(structural.filter(({ rule }) => rule === "maxLength").map(({ field }) => field));
  const rules = areRulesRun ? ruleProblems(judged, value).filter(({ field }) => !tooLong.has(field)) : [];
  return sorted([...structural, ...unknown, ...duplicates, ...rules]);
}

function strayProblems({ schema, value, root }: Judged, spec: ObjectSchema): readonly Problem[] {
  return unknownFields(schema, value).map(({ path, known }) => unknownField({ spec, path: [...root, ...path], known }));
}

/** Rules are written for values of the right types; with others the API server does not run them either. */
function blocksRules({ keyword }: ErrorObject): boolean {
  return keyword === "type" || keyword === "required";
}

/** The rules of the same text say it in words. */
function isSaidByRules({ keyword, parentSchema }: ErrorObject): boolean {
  return keyword === "pattern" && parentSchema?.isPatternInRules === true;
}

function ruleProblems({ schema, old, root }: Judged, value: unknown): readonly Problem[] {
  const oldValue = old === undefined ? undefined : asStored(schema, old);
  return brokenRules(schema, value, oldValue).map((broken) =>
    problem({
      path: [...root, ...broken.path],
      rule: broken.rule.name,
      message: messageOf(broken),
      remedy: "",
    }),
  );
}

/** The message of a rule is the same for every value, because the API server has it from the CRD. Here it can say more. */
function messageOf({ rule, value }: BrokenRule): string {
  const isLeft = rule.message === unreplacedSentence && typeof value === "string";
  return isLeft ? unreplacedMessage(value) : rule.message;
}

function manifestProblems(
  judge: (options: Judged) => readonly Problem[],
  object: unknown,
  old: unknown,
): readonly Problem[] {
  if (!isRecord(object)) {
    return [
      problem({
        path: [],
        rule: "type",
        message: "is not an object",
        remedy: "write apiVersion, kind, metadata and spec",
      }),
    ];
  }
  const definition = typeof object.kind === "string" ? findKind(object.kind) : undefined;
  if (definition === undefined) return [kindProblem(object.kind)];
  const before = isRecord(old) ? old : {};
  return sorted([
    ...headProblems(object, definition),
    ...metadataProblems(judge, object.metadata, definition),
    ...sectionProblems(judge, { definition, object, before }),
    ...sizeProblems(object),
  ]);
}

function headProblems(object: Readonly<Record<string, unknown>>, definition: KindDefinition): readonly Problem[] {
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  const unknown = Object.keys(object)
    .filter((key) => !known.includes(key))
    .map((key) => unknownField({ spec: definition.spec, path: [key], known }));
  if (object.apiVersion === apiVersion) return unknown;
  const message = `${quoted(object.apiVersion)} is not served for ${definition.type.kind}`;
  return [problem({ path: ["apiVersion"], rule: "api-version", message, remedy: `use ${apiVersion}` }), ...unknown];
}

function metadataProblems(
  judge: (options: Judged) => readonly Problem[],
  metadata: unknown,
  { spec }: KindDefinition,
): readonly Problem[] {
  if (!isRecord(metadata)) {
    return [
      problem({ path: ["metadata"], rule: "required", message: "is required", remedy: "add metadata with a name" }),
    ];
  }
  const value = givenMetadata(metadata);
  return [...judge({ schema: metadataSchema, value, root: ["metadata"], strictFor: spec }), ...metadataLimits(value)];
}

interface Sections {
  readonly definition: KindDefinition;
  readonly object: Readonly<Record<string, unknown>>;
  readonly before: Readonly<Record<string, unknown>>;
}

function sectionProblems(
  judge: (options: Judged) => readonly Problem[],
  { definition, object, before }: Sections,
): readonly Problem[] {
  const { spec, status } = object;
  const specProblems =
    spec === undefined || spec === null
      ? [problem({ path: ["spec"], rule: "required", message: "is required", remedy: requiredOf(definition.spec) })]
      : [
          ...judge({
            schema: definition.spec,
            value: spec,
            old: before.spec,
            root: ["spec"],
            strictFor: definition.spec,
          }),
          ...referenceProblems(definition, spec),
        ];
  // The server takes no status from a manifest: it only refuses fields that it does not know.
  const strays = unknownFields(definition.status, status);
  return [
    ...specProblems,
    ...strays.map(({ path, known }) => unknownField({ spec: definition.spec, path: ["status", ...path], known })),
  ];
}

/** What the API server lets in, because it cannot decode it, and the operator refuses. */
function referenceProblems({ type }: KindDefinition, spec: unknown): readonly Problem[] {
  const message = "contains ${, which Northflank would expand: set spec.allowReferences: true if that is intended";
  return forbiddenReferences(type.kind, spec).map((path) =>
    problem({ path: ["spec", ...path], rule: "references", message, remedy: "" }),
  );
}

function requiredOf(schema: ObjectSchema): string {
  return `add it, with ${(schema.required ?? []).join(" and ")}`;
}

function kindProblem(kind: unknown): Problem {
  const names = kinds.map(({ type }) => type.kind);
  const remedy = typeof kind === "string" ? didYouMean(kind, names) : `use one of ${names.join(", ")}`;
  return problem({ path: ["kind"], rule: "kind", message: `${quoted(kind)} is not a kind of ${group}`, remedy });
}

function duplicate(path: Path): Problem {
  return problem({ path, rule: "duplicate", message: "is there already", remedy: "remove one of the two" });
}

function unknownField(field: Parameters<typeof unknownFieldRemedy>[0]): Problem {
  const remedy = unknownFieldRemedy(field);
  return problem({ path: field.path, rule: "unknown-field", message: "is not a field", remedy });
}

function createAjv(): Ajv {
  // A test holds our schemas to the draft. Doing it here would compile the schema of the draft at every start.
  const ajv = new Ajv({ allErrors: true, verbose: true, meta: false, validateSchema: false });
  // Under nodenext the callable is the module's `default`.
  addFormats.default(ajv, ["date-time", "int32", "int64"]);
  ajv.addVocabulary([
    "x-kubernetes-validations",
    "x-kubernetes-map-type",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "isPatternInRules",
    "isBase64",
    "explain",
  ]);
  return ajv;
}
