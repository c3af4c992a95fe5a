// pure

/*
 * The text format of Prometheus (0.0.4), as far as it is needed to read one's own metrics back. The one package that
 * parses it (parse-prometheus-text-format) is from 2019, has no types, takes what is not in the format for samples, and
 * groups histograms in quadratic time, which a hostile answer could use.
 */

/** One sample: a metric, its labels and its value. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** The samples, or the first line that is not in the format, counted from 1. */
export type Samples =
  | { readonly kind: "samples"; readonly samples: readonly Sample[] }
  | { readonly kind: "malformed"; readonly line: number };

// Longer than any of ours by far: a label value is a name of Kubernetes.
const longestLine = 64 * 1_024;

/**
 * Reads the samples whose names `isWanted` accepts; the others are only checked.
 *
 * *Guarantees*: strict: what a line has beyond the format makes the whole text malformed. It takes time in proportion to
 * the length of the text.
 */
export function parsePrometheusText(text: string, isWanted: (name: string) => boolean = () => true): Samples {
  const samples: Sample[] = [];
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start);
    const content = text.slice(start, end < 0 ? text.length : end);
    start = end < 0 ? text.length : end + 1;
    line += 1;
    if (content.length > longestLine) return { kind: "malformed", line };
    if (/^[ \t]*(?:#|$)/.test(content)) continue;
    const sample = sampleOf(content);
    if (sample === undefined) return { kind: "malformed", line };
    if (isWanted(sample.name)) samples.push(sample);
  }
  return { kind: "samples", samples };
}

function sampleOf(line: string): Sample | undefined {
  const [head, name = ""] = /^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line) ?? [];
  if (head === undefined) return undefined;
  const read = labelsOf(line, head.length);
  if (read === undefined) return undefined;
  const rest = line.slice(read.end);
  // Without labels between them, name and value are apart.
  if (read.end === head.length && !/^[ \t]/.test(rest)) return undefined;
  // The time of a sample is of no use here.
  const [, number] = /^[ \t]*(\S+)(?:[ \t]+-?\d+)?[ \t]*$/.exec(rest) ?? [];
  const value = number === undefined ? undefined : numberOf(number);
  return value === undefined ? undefined : { name, labels: read.labels, value };
}

const escapes: Readonly<Record<string, string>> = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };

/** The labels that begin at `start`, if any, and where they end. */
function labelsOf(
  line: string,
  start: number,
): { readonly labels: ReadonlyMap<string, string>; readonly end: number } | undefined {
  const labels = new Map<string, string>();
  const open = /[ \t]*\{[ \t]*/y;
  open.lastIndex = start;
  if (!open.test(line)) return { labels, end: start };
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\[\\"n])*)"[ \t]*(,[ \t]*)?/y;
  let end = open.lastIndex;
  for (let isMore = true; isMore && line[end] !== "}"; ) {
    pair.lastIndex = end;
    const [, name, value, comma] = pair.exec(line) ?? [];
    if (name === undefined || value === undefined || labels.has(name)) return undefined;
    labels.set(
      name,
      value.replace(/\\[\\"n]/g, (written) => escapes[written] ?? written),
    );
    end = pair.lastIndex;
    isMore = comma !== undefined;
  }
  return line[end] === "}" ? { labels, end: end + 1 } : undefined;
}

function numberOf(text: string): number | undefined {
  if (/^[+-]?Inf$/i.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^NaN$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}
