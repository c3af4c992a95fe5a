import { dirname, relative, resolve, sep } from "node:path";
import {
  type BinaryExpression,
  type CallExpression,
  type Identifier,
  isArrayLiteralExpression,
  isArrowFunction,
  isAsExpression,
  isBinaryExpression,
  isCallExpression,
  isComputedPropertyName,
  isConditionalExpression,
  isElementAccessExpression,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isImportDeclaration,
  isLiteralTypeNode,
  isNoSubstitutionTemplateLiteral,
  isObjectLiteralExpression,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isReturnStatement,
  isShorthandPropertyAssignment,
  isStringLiteral,
  isTemplateExpression,
  isVariableStatement,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";
import { sentencesOf } from "./words.ts";

/** One text of a source file: a string, a template, or a sum of both. */
export interface SourceText {
  /** Path from the root of the project, with `/`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What is put into a template is an X. */
  readonly text: string;
  /**
   * The same with the longest text that may stand for each X: of a condition the longer side, of a constant or a function of
   * the source what it says. What comes from elsewhere stays an X.
   */
  readonly longest: string;
  /** The function that the text is an argument of (`log.info`), as written; `undefined` outside of a call. */
  readonly callee: string | undefined;
}

/** A result of a controller, written as an object with `kind`, `reason` and `message`. */
export interface SourceResult {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  /** The longest message that it may have; see {@link SourceText.longest}. */
  readonly longest: string;
}

/**
 * All texts and results of the source files under one of `folders`, as the compiler reads them. Types, imports and names of properties are
 * not among them. A text inside of what is put into a template is a text of its own.
 */
export function sourceTexts(
  root: string,
  ...folders: readonly string[]
): { readonly texts: readonly SourceText[]; readonly results: readonly SourceResult[] } {
  const api = new API({ cwd: root });
  try {
    const [project] = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] }).getProjects();
    if (project === undefined) throw new Error(`${root} has no project`);
    const sources = project.rootFiles
      .map((path) => ({ path, file: relative(root, path).split(sep).join("/") }))
      .filter(({ file }) => folders.some((folder) => file.startsWith(`${folder}/`)))
      .map(({ path, file }) => {
        const source = project.program.getSourceFile(path);
        if (source === undefined) throw new Error(`${file} is not in the program`);
        return { file, source };
      });
    const functions = functionsOf(sources.map(({ source }) => source));
    return {
      texts: sources.flatMap(({ file, source }) => textsOf(source, file, functions)),
      results: sources.flatMap(({ file, source }) => resultsOf(source, file, functions)),
    };
  } finally {
    api.close();
  }
}

function textsOf(source: SourceFile, file: string, functions: Functions): readonly SourceText[] {
  const texts: SourceText[] = [];
  const add = (node: Node, text: string) => {
    const line = lineOf(source, node);
    const longest = longestOf(node, { source, functions, seen: [] });
    texts.push({ file, line, text, longest, callee: calleeOf(node)?.expression.getText(source) });
  };
  const visit = (node: Node): void => {
    if (isImportDeclaration(node) || isExportDeclaration(node) || isLiteralTypeNode(node)) return;
    if (isName(node)) return;
    if (isText(node)) add(node, wordsOf(node, visit));
    else node.forEachChild(visit);
  };
  visit(source);
  return texts;
}

function resultsOf(source: SourceFile, file: string, functions: Functions): readonly SourceResult[] {
  const results: SourceResult[] = [];
  const visit = (node: Node): void => {
    node.forEachChild(visit);
    if (!isObjectLiteralExpression(node)) return;
    const values = new Map(node.properties.flatMap((property) => valueIn(property) ?? []));
    const [kind, message] = [values.get("kind"), values.get("message")];
    if (kind === undefined || !isStringLiteral(kind) || !values.has("reason") || message === undefined) return;
    const longest = longestOf(message, { source, functions, seen: [] });
    results.push({ file, line: lineOf(source, node), kind: kind.text, longest });
  };
  visit(source);
  return results;
}

function valueIn(property: Node): readonly [name: string, value: Node][] | undefined {
  if (isPropertyAssignment(property)) return [[property.name.getText(), property.initializer]];
  return isShorthandPropertyAssignment(property) ? [[property.name.getText(), property.name]] : undefined;
}

function lineOf(source: SourceFile, node: Node): number {
  return source.text.slice(0, node.getStart(source)).split("\n").length;
}

/** What may stand where a text is expected: a sum is one as soon as one side is. */
function isText(node: Node): boolean {
  if (isParenthesizedExpression(node)) return isText(node.expression);
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node) || isTemplateExpression(node)) return true;
  return isSum(node) && (isText(node.left) || isText(node.right));
}

function isSum(node: Node): node is BinaryExpression {
  return isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.PlusToken;
}

/** The words of a text; what is not a text is handed to `visit` and becomes an X. */
function wordsOf(node: Node, visit: (node: Node) => void): string {
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (isParenthesizedExpression(node)) return wordsOf(node.expression, visit);
  if (isTemplateExpression(node)) {
    const spans = node.templateSpans.map(({ expression, literal }) => {
      visit(expression);
      return `X${literal.text}`;
    });
    return `${node.head.text}${spans.join("")}`;
  }
  if (isSum(node)) return `${wordsOf(node.left, visit)}${wordsOf(node.right, visit)}`;
  visit(node);
  return "X";
}

/** A key of an object or of an access is a name and no text. */
function isName(node: Node): boolean {
  const { parent } = node;
  if (!isStringLiteral(node) || parent === undefined) return false;
  if (isPropertyAssignment(parent)) return parent.name === node;
  return isComputedPropertyName(parent) || (isElementAccessExpression(parent) && parent.argumentExpression === node);
}

function calleeOf(node: Node): CallExpression | undefined {
  const { parent } = node;
  if (parent === undefined || !isCallExpression(parent) || parent.expression === node) return undefined;
  return parent;
}

// ---- the longest text ----

/** A function on top of a file, and what it returns. */
interface Returning {
  readonly source: SourceFile;
  readonly returned: readonly Node[];
}

/** By name. */
type Functions = ReadonlyMap<string, readonly Returning[]>;

function functionsOf(sources: readonly SourceFile[]): Functions {
  const functions = new Map<string, readonly Returning[]>();
  for (const source of sources) {
    source.forEachChild((node) => {
      if (!isFunctionDeclaration(node) || node.name === undefined || node.body === undefined) return;
      const name = node.name.text;
      functions.set(name, [...(functions.get(name) ?? []), { source, returned: returnedBy(node.body) }]);
    });
  }
  return functions;
}

/** The function that a file means by a name: its own one, or that of a file it imports. */
function functionFor(name: string, { source, functions }: Reading): Returning | undefined {
  const named = functions.get(name) ?? [];
  const imported = [...source.text.matchAll(/^import \{([^}]*)\} from "(\.[^"]*)"/gm)]
    .filter(([, names = ""]) => new RegExp(`\\b${name}\\b`).test(names))
    .map(([, , from = ""]) => resolve(dirname(source.fileName), from));
  return named.find((one) => one.source === source) ?? named.find((one) => imported.includes(one.source.fileName));
}

function returnedBy(body: Node): readonly Node[] {
  const found: Node[] = [];
  const visit = (node: Node): void => {
    if (isReturnStatement(node) && node.expression !== undefined) found.push(node.expression);
    if (!isFunctionDeclaration(node) && !isArrowFunction(node)) node.forEachChild(visit);
  };
  body.forEachChild(visit);
  return found;
}

interface Reading {
  readonly source: SourceFile;
  readonly functions: Functions;
  /** What is being read already: nothing is read inside itself. */
  readonly seen: readonly Node[];
}

function longestOf(node: Node, reading: Reading): string {
  if (reading.seen.includes(node) || reading.seen.length > 20) return "X";
  const inside = { ...reading, seen: [...reading.seen, node] };
  const of = (inner: Node) => longestOf(inner, inside);
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (isParenthesizedExpression(node) || isAsExpression(node)) return of(node.expression);
  if (isTemplateExpression(node)) {
    const spans = node.templateSpans.map(({ expression, literal }) => `${of(expression)}${literal.text}`);
    return `${node.head.text}${spans.join("")}`;
  }
  if (isConditionalExpression(node)) return longer([of(node.whenTrue), of(node.whenFalse)]);
  if (isBinaryExpression(node)) {
    const { left, right, operatorToken } = node;
    if (operatorToken.kind === SyntaxKind.PlusToken) return `${of(left)}${of(right)}`;
    const isChoice = [SyntaxKind.QuestionQuestionToken, SyntaxKind.BarBarToken].includes(operatorToken.kind);
    return isChoice ? longer([of(left), of(right)]) : "X";
  }
  if (isIdentifier(node)) {
    const value = constantOf(node);
    return value === undefined ? "X" : of(value);
  }
  return isCallExpression(node) ? longestCall(node, inside) : "X";
}

function longestCall(node: CallExpression, reading: Reading): string {
  const { expression } = node;
  if (isPropertyAccessExpression(expression) && expression.name.text === "join") {
    const [separator] = node.arguments;
    const between = separator !== undefined && isStringLiteral(separator) ? separator.text : ",";
    const items = itemsOf(expression.expression);
    return items === undefined ? "X" : items.map((item) => longestOf(item, reading)).join(between);
  }
  if (!isIdentifier(expression)) return "X";
  const called = functionFor(expression.text, reading);
  if (called === undefined) return "X";
  const { source, returned } = called;
  return longer(["X", ...returned.map((value) => longestOf(value, { ...reading, source }))]);
}

/** The items of a list that is written out, filtered or not. */
function itemsOf(node: Node): readonly Node[] | undefined {
  if (isParenthesizedExpression(node)) return itemsOf(node.expression);
  if (isIdentifier(node)) {
    const value = constantOf(node);
    return value === undefined ? undefined : itemsOf(value);
  }
  if (isArrayLiteralExpression(node)) return node.elements;
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return undefined;
  return node.expression.name.text === "filter" ? itemsOf(node.expression.expression) : undefined;
}

/** The value of the constant that a name means, in the function it stands in or in its file. */
function constantOf(name: Identifier): Node | undefined {
  for (let scope: Node | undefined = name.parent; scope !== undefined; scope = scope.parent) {
    let value: Node | undefined;
    scope.forEachChild((node) => {
      if (!isVariableStatement(node)) return;
      for (const declaration of node.declarationList.declarations) {
        if (isIdentifier(declaration.name) && declaration.name.text === name.text) value = declaration.initializer;
      }
    });
    if (value !== undefined) return value;
    const { parameters = [] } = scope as { readonly parameters?: readonly Node[] };
    if (parameters.some((parameter) => isNamed(parameter, name))) return undefined;
  }
  return undefined;
}

function isNamed(parameter: Node, { text }: Identifier): boolean {
  return new RegExp(`\\b${text}\\b`).test(parameter.getText());
}

/** The text with the most sentences, and of these the longest. */
function longer(texts: readonly string[]): string {
  return texts.reduce((longest, text) => {
    const more = sentencesOf(text).length - sentencesOf(longest).length;
    return more > 0 || (more === 0 && text.length > longest.length) ? text : longest;
  });
}
