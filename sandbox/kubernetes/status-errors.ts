import { apiVersionOf, type FieldError, type FieldErrorKind, qualified, type Resource } from "./types.ts";

/** A `metav1.Status` of failure, as the API sends it. */
export interface FailureStatus {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: { readonly continue?: string };
  readonly status: "Failure";
  readonly message: string;
  readonly reason?: string;
  readonly details?: object;
  readonly code: number;
}

/** Any refusal of the sandbox API server. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly body: FailureStatus;

  constructor(facts: {
    readonly code: number;
    readonly reason?: string;
    readonly message: string;
    readonly details?: object;
    readonly continueToken?: string;
  }) {
    super(facts.message);
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: facts.continueToken === undefined ? {} : { continue: facts.continueToken },
      status: "Failure",
      message: facts.message,
      ...(facts.reason === undefined ? {} : { reason: facts.reason }),
      ...(facts.details === undefined ? {} : { details: facts.details }),
      code: facts.code,
    };
  }
}

type Named = Pick<Resource, "group" | "plural" | "kind">;

function details(resource: Named, name: string, more?: object): object {
  return {
    ...(name === "" ? {} : { name }),
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.plural,
    ...more,
  };
}

export function notFound(resource: Named, name: string): ApiError {
  return new ApiError({
    code: 404,
    reason: "NotFound",
    message: `${qualified(resource.plural, resource.group)} "${name}" not found`,
    details: details(resource, name),
  });
}

/** A path that leads nowhere: no such group, version, resource or subresource. */
export function noRoute(what: string): ApiError {
  return new ApiError({
    code: 404,
    reason: "NotFound",
    message: `the server could not find the requested resource (${what})`,
    details: {},
  });
}

/** Something a real API server has and this one has not. */
export function notImplemented(what: string): ApiError {
  return new ApiError({ code: 501, reason: "NotImplemented", message: `the sandbox API server does not have ${what}` });
}

export function methodNotAllowed(): ApiError {
  return new ApiError({
    code: 405,
    reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource",
    details: {},
  });
}

export function alreadyExists(resource: Named, name: string): ApiError {
  return new ApiError({
    code: 409,
    reason: "AlreadyExists",
    message: `${qualified(resource.plural, resource.group)} "${name}" already exists`,
    details: details(resource, name),
  });
}

export function conflict(resource: Named, name: string, detail: string = modified): ApiError {
  return new ApiError({
    code: 409,
    reason: "Conflict",
    message: `Operation cannot be fulfilled on ${qualified(resource.plural, resource.group)} "${name}": ${detail}`,
    details: details(resource, name),
  });
}

const modified = "the object has been modified; please apply your changes to the latest version and try again";

export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: "BadRequest", message });
}

/** A fault that the real server reports as 500 without a reason. */
export function internal(message: string): ApiError {
  return new ApiError({ code: 500, message });
}

/** What a handler that threw answers. */
export function internalError(error: unknown): ApiError {
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError({ code: 500, reason: "InternalError", message: `Internal error occurred: ${text}` });
}

export function expired(message: string, continueToken?: string): ApiError {
  return new ApiError({
    code: 410,
    reason: "Expired",
    message,
    ...(continueToken === undefined ? {} : { continueToken }),
  });
}

export function tooLargeResourceVersion(wanted: number, current: number): ApiError {
  return new ApiError({
    code: 504,
    reason: "Timeout",
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  });
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError({
    code: 415,
    reason: "UnsupportedMediaType",
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  });
}

export function notAcceptable(): ApiError {
  return new ApiError({
    code: 406,
    reason: "NotAcceptable",
    message: "only the following media types are accepted: application/json, application/yaml",
  });
}

/** 422 for an object: every finding in the message and as a cause. */
export function invalid(
  subject: { readonly kind: string; readonly group: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const texts = [...new Set(errors.map((error) => `${error.path}: ${bodyOf(error)}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new ApiError({
    code: 422,
    reason: "Invalid",
    message: `${qualified(subject.kind, subject.group)} "${name}" is invalid: ${list}`,
    details: {
      ...(name === "" ? {} : { name }),
      ...(subject.group === "" ? {} : { group: subject.group }),
      kind: subject.kind,
      causes: errors.map((error) => ({ reason: reasons[error.kind], message: bodyOf(error), field: error.path })),
    },
  });
}

/** The body cannot be read as the resource's kind. */
export function cannotBeHandled(resource: Resource, detail: string): ApiError {
  return badRequest(
    `${resource.kind} in version "${versionText(resource)}" cannot be handled as a ${resource.kind}: ${detail}`,
  );
}

function versionText(resource: Resource): string {
  return resource.origin === "custom" ? resource.version : apiVersionOf(resource).replace(/^.*\//, "");
}

const reasons: Readonly<Record<FieldErrorKind, string>> = {
  required: "FieldValueRequired",
  invalid: "FieldValueInvalid",
  type: "FieldValueTypeInvalid",
  unsupported: "FieldValueNotSupported",
  duplicate: "FieldValueDuplicate",
  forbidden: "FieldValueForbidden",
  "too-long": "FieldValueTooLong",
  "too-many": "FieldValueTooMany",
};

const titles: Readonly<Record<FieldErrorKind, string>> = {
  required: "Required value",
  invalid: "Invalid value",
  type: "Invalid value",
  unsupported: "Unsupported value",
  duplicate: "Duplicate value",
  forbidden: "Forbidden",
  "too-long": "Too long",
  "too-many": "Too many",
};

function bodyOf(error: FieldError): string {
  const wordless = error.kind === "required" || error.kind === "forbidden" || error.kind === "too-long";
  const isSilent = wordless || error.value === undefined;
  const head = isSilent ? titles[error.kind] : `${titles[error.kind]}: ${JSON.stringify(error.value)}`;
  return error.detail === "" ? head : `${head}: ${error.detail}`;
}
