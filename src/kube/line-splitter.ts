// pure

/** Cuts a byte stream into lines. Stateful: it keeps the bytes of the line that is not complete yet. */
export interface LineSplitter {
  /** Takes what arrived and calls `onLine` with each line that is now complete, in order. */
  readonly push: (chunk: Buffer) => void;
  /** Bytes of a line whose end has not arrived. Anything but 0 at the end of the stream means that it was cut off. */
  readonly pendingBytes: () => number;
}

const newline = 0x0a;

/**
 * Splits at newlines in bytes, not in text: a character whose bytes come in two chunks stays whole, and the usual case
 * (a line inside one chunk) is decoded in place without a copy. Empty lines are left out.
 *
 * *Errors*: `push` throws what `tooLong()` gives as soon as a line is longer than `maxLineBytes`, complete or not.
 */
export function createLineSplitter(options: {
  readonly maxLineBytes: number;
  readonly onLine: (line: string) => void;
  readonly tooLong: () => Error;
}): LineSplitter {
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  const take = (chunk: Buffer, start: number, end: number): void => {
    if (pendingBytes + end - start > options.maxLineBytes) throw options.tooLong();
    if (pendingBytes === 0) {
      if (end > start) options.onLine(chunk.toString("utf8", start, end));
      return;
    }
    const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString("utf8");
    pending = [];
    pendingBytes = 0;
    options.onLine(line);
  };

  return {
    push: (chunk) => {
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        take(chunk, start, end);
        start = end + 1;
      }
      if (start === chunk.length) return;
      pendingBytes += chunk.length - start;
      if (pendingBytes > options.maxLineBytes) throw options.tooLong();
      // Copied when it is a small end of a large chunk, so that a few bytes do not hold the whole chunk in memory.
      pending.push(start === 0 ? chunk : Buffer.from(chunk.subarray(start)));
    },
    pendingBytes: () => pendingBytes,
  };
}
