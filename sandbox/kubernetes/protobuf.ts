import type { JsonObject } from "./types.ts";

/**
 * Reads the protobuf bodies that `kubectl create namespace|secret|configmap|serviceaccount` sends. Only these four kinds
 * are known; answers always go out as JSON, which kubectl takes.
 *
 * The body is an envelope: four magic bytes, then type and content.
 *
 *     "k8s\0" | Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw object }
 */
export function readProtobuf(bytes: Buffer): JsonObject | undefined {
  if (bytes.subarray(0, 4).toString("latin1") !== "k8s\0") return undefined;
  const envelope = readMessage(bytes.subarray(4), {
    1: { name: "type", type: typeMeta },
    2: { name: "raw", type: "bytes" },
  });
  const { apiVersion, kind } = envelope.type as { readonly apiVersion?: string; readonly kind?: string };
  const message = kinds[kind ?? ""];
  if (message === undefined) return undefined;
  const content = readMessage(Buffer.from(String(envelope.raw ?? ""), "base64"), message);
  return { apiVersion: apiVersion ?? "", kind: kind ?? "", ...content };
}

interface Field {
  readonly name: string;
  /** `map` and `byteMap` are lists of entries with key (1) and value (2) on the wire. */
  readonly type: "string" | "integer" | "boolean" | "bytes" | "map" | "byteMap" | Message;
  readonly isList?: boolean;
}

type Message = { readonly [number: number]: Field };

const typeMeta: Message = { 1: { name: "apiVersion", type: "string" }, 2: { name: "kind", type: "string" } };

// Times are left out: a client has no times to send with a new object, but sends empty ones.
const objectMeta: Message = {
  1: { name: "name", type: "string" },
  2: { name: "generateName", type: "string" },
  3: { name: "namespace", type: "string" },
  5: { name: "uid", type: "string" },
  6: { name: "resourceVersion", type: "string" },
  11: { name: "labels", type: "map" },
  12: { name: "annotations", type: "map" },
  14: { name: "finalizers", type: "string", isList: true },
};

const metadata: Field = { name: "metadata", type: objectMeta };
const nameOnly: Message = { 1: { name: "name", type: "string" } };

const kinds: Readonly<Record<string, Message>> = {
  Namespace: { 1: metadata },
  ServiceAccount: { 1: metadata, 3: { name: "imagePullSecrets", type: nameOnly, isList: true } },
  Secret: {
    1: metadata,
    2: { name: "data", type: "byteMap" },
    3: { name: "type", type: "string" },
    4: { name: "stringData", type: "map" },
    5: { name: "immutable", type: "boolean" },
  },
  ConfigMap: {
    1: metadata,
    2: { name: "data", type: "map" },
    3: { name: "binaryData", type: "byteMap" },
    4: { name: "immutable", type: "boolean" },
  },
};

function readMessage(bytes: Buffer, message: Message): JsonObject {
  const result: JsonObject = {};
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = readVarint(reader);
    const field = message[tag >>> 3];
    const value = readValue(reader, tag & 7);
    if (field !== undefined) addValue(result, field, value);
  }
  return result;
}

interface Reader {
  readonly bytes: Buffer;
  at: number;
}

function readVarint(reader: Reader): number {
  let value = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw new RangeError("protobuf ends in the middle of a number");
    value += (byte & 127) * shift;
    if (byte < 128) return value;
  }
}

function readValue(reader: Reader, wireType: number): number | Buffer {
  switch (wireType) {
    case 0:
      return readVarint(reader);
    case 2: {
      const length = readVarint(reader);
      const value = reader.bytes.subarray(reader.at, reader.at + length);
      reader.at += length;
      return value;
    }
    default:
      throw new RangeError(`protobuf wire type ${wireType} is not used by these kinds`);
  }
}

function addValue(result: JsonObject, field: Field, value: number | Buffer): void {
  const { name, type } = field;
  if (type === "map" || type === "byteMap") {
    const [key, item] = readEntry(value, type);
    result[name] = { ...(result[name] as JsonObject | undefined), [key]: item };
    return;
  }
  const decoded = decode(value, type);
  // Go sends its zero values too: an empty text is no text.
  if (decoded === "") return;
  result[name] = field.isList ? [...((result[name] as unknown[] | undefined) ?? []), decoded] : decoded;
}

function readEntry(value: number | Buffer, type: "map" | "byteMap"): readonly [string, unknown] {
  const entry = readMessage(Buffer.isBuffer(value) ? value : Buffer.alloc(0), {
    1: { name: "key", type: "string" },
    2: { name: "value", type: type === "map" ? "string" : "bytes" },
  });
  return [String(entry.key ?? ""), entry.value ?? ""];
}

function decode(value: number | Buffer, type: Exclude<Field["type"], "map" | "byteMap">): unknown {
  if (typeof value === "number") return type === "boolean" ? value !== 0 : value;
  if (type === "string") return value.toString("utf8");
  if (typeof type === "object") return readMessage(value, type);
  return value.toString("base64");
}
