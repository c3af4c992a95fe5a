// pure

/** Sets a property of its own, whatever its name. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  // Assigned, this one name would set the prototype.
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** True for an object that is no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
