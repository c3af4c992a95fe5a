// pure

const beginning = '"managedFields":[';
const quote = 0x22;
const backslash = 0x5c;

/**
 * The JSON of an answer with every `managedFields` emptied, to be parsed without them: they are often half of an object,
 * this program does not read them, and their keys, hardly two of them alike, are what a parser is slowest with.
 *
 * It searches the field as the API server writes it, compact. A string cannot be taken for it, because quotes inside of
 * a string are escaped; a list of that name elsewhere than in `metadata` is in no type that this program uses.
 *
 * *Guarantees*: what is not JSON stays as unreadable as it was.
 */
export function withoutManagedFields(json: string): string {
  let at = json.indexOf(beginning);
  if (at < 0) return json;
  let kept = "";
  let start = 0;
  while (at >= 0) {
    const open = at + beginning.length - 1;
    kept += json.slice(start, open + 1);
    start = endOfList(json, open);
    at = json.indexOf(beginning, start);
  }
  return kept + json.slice(start);
}

/** Where the bracket stands that closes the one at `open`; the end of the text where there is none. */
function endOfList(json: string, open: number): number {
  let depth = 0;
  let isInString = false;
  for (let at = open; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === backslash) at += 1;
    else if (code === quote) isInString = !isInString;
    else if (isInString) continue;
    else if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return json.length;
}
