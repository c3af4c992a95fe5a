// pure

/**
 * True when two JSON values are equal, whatever the order of keys. A key whose value is `undefined` counts as missing,
 * as it does on the wire.
 */
export function isSameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) return isSameList(left, right);
  const leftKeys = presentKeys(left);
  const rightKeys = presentKeys(right);
  if (leftKeys.length !== rightKeys.length) return false;
  return leftKeys.every((key) => Object.hasOwn(right, key) && isSameJson(fieldOf(left, key), fieldOf(right, key)));
}

function isSameList(left: object, right: object): boolean {
  if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
  return left.every((item, index) => isSameJson(item, right[index]));
}

function presentKeys(value: object): readonly string[] {
  return Object.keys(value).filter((key) => fieldOf(value, key) !== undefined);
}

function fieldOf(value: object, key: string): unknown {
  return (value as Readonly<Record<string, unknown>>)[key];
}
