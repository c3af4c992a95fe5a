/**
 * The words that texts for users do not have, and what to write instead. Readers know the words of Kubernetes, Flux and
 * cert-manager; a text that says "reconcile", "poll" and "roll back" needs no explanation.
 */
interface WordRule {
  readonly name: string;
  readonly words: RegExp;
  /** What to write instead. */
  readonly remedy: string;
  /** Where the words are right, with the reason; what stands there is not looked for. */
  readonly except?: readonly { readonly words: RegExp; readonly reason: string }[];
}

export const wordRules: readonly WordRule[] = [
  {
    name: "pass",
    words: /\b(?:an?|any|both|each|every|last|next|no|one|same|second|slow|that|the|this|whole) pass\b|\bpasses\b/i,
    remedy: "Write reconcile; of a check: succeed, accept, match.",
    except: [{ words: /\bpasses (?:`|validate\b|the checks?\b)/i, reason: "a check is passed in every language" }],
  },
  {
    name: "wake",
    words: /\b(?:wak(?:es?|ing)|woken?)\b/i,
    remedy: "Write enqueue, start, or when the change is noticed.",
  },
  {
    name: "look",
    words: /\blook(?:s|ed|ing)?\b(?! like\b)/i,
    remedy: "Write read, check, poll, search or resolve.",
    except: [{ words: /\bwhat it looks like\b/i, reason: "the heading before an example" }],
  },
  {
    name: "tell",
    words: /\b(?:tells?|telling|told)\b/i,
    remedy: 'Write return, report, show, distinguish or know: "Northflank does not return the image".',
  },
  { name: "go on", words: /\b(?:go|goes|going|gone|went) on\b/i, remedy: "Write continue, resume or keep running." },
  {
    name: "let go",
    words: /\blet(?:s|ting)? (?:\w+ )?go\b/i,
    remedy: "Write unmanaged, or the finalizer was removed.",
  },
  { name: "put back", words: /\bput(?:s|ting)? (?:\w+ )?back\b/i, remedy: "Write roll back, restore or revert." },
  { name: "mend", words: /\bmend(?:s|ed|ing)?\b/i, remedy: "Write fix or correct." },
  { name: "lead back", words: /\b(?:leads?|leading|led) (?:\w+ ){0,2}back\b/i, remedy: "Write point back, or set." },
  { name: "your turn", words: /\byour turn\b/i, remedy: "Write action required." },
  {
    name: "somebody",
    words: /\b(?:some|any|every)(?:body|one)\b|\b(?:nobody|no one)\b/i,
    remedy: "Name who: a user, another client, another replica, the operator.",
  },
  { name: "shall", words: /\bshall\b/i, remedy: "Write should, must or will, or give the command." },
  { name: "heir", words: /\b(?:heirs?|rivals?|verdicts?)\b/i, remedy: "Write owner, conflicting object, result." },
  {
    name: "try again",
    words: /\btr(?:y|ies|ied) again\b|\bgrowing pauses\b|\brarely\b|\bon its way\b/i,
    remedy: "Write retry, with back-off, at longer intervals, or not complete yet.",
    except: [
      { words: /\bapply your changes to the latest version and try again\b/, reason: "words of the API server" },
    ],
  },
  {
    name: "British spelling",
    words:
      /\b(?:cancell(?:ed|ing)|(?:un)?labell(?:ed|ing)|modell(?:ed|ing)|(?:behavi|col|hon|fav|neighb)our\w*|licence\w*|(?:dis|re)?organis\w+|(?:(?:un)?author|custom|final|general|initial|maxim|minim|normal|optim|real|recogn|serial|standard|summar|synchron|util|visual)is(?:ed?|es|ing|ation\w*)|analys(?:ed?|es|ing)|catalogue\w*|centre\w*|grey|learnt|whilst)\b/i,
    remedy: "Write American English, as Kubernetes does: canceled, behavior, license, authorize.",
  },
];

/** What a rule finds. */
export interface Finding {
  readonly rule: string;
  /** The words, with what stands around them. */
  readonly words: string;
  readonly remedy: string;
}

/** Everything in a text that a rule forbids. */
export function forbiddenWords(text: string): readonly Finding[] {
  return wordRules.flatMap(({ name, words, remedy, except = [] }) => {
    const rest = except.reduce((left, { words: right }) => left.replace(everywhere(right), ""), text);
    return [...rest.matchAll(everywhere(words))].map(({ index, 0: found }) => ({
      rule: name,
      words: rest.slice(Math.max(0, index - 40), index + found.length + 40).replace(/\s+/g, " "),
      remedy,
    }));
  });
}

/** The sentences of a text. What follows an abbreviation, or a colon, is of the same. */
export function sentencesOf(text: string): readonly string[] {
  return text.split(/(?<=[.!?])\s+(?=[A-Z"(])/).filter((sentence) => sentence.trim() !== "");
}

function everywhere(words: RegExp): RegExp {
  return new RegExp(words.source, `${words.flags}g`);
}
