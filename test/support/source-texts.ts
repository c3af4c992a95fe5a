import { relative, sep } from "node:path";
import {
  type BinaryExpression,
  type CallExpression,
  isBinaryExpression,
  isCallExpression,
  isComputedPropertyName,
  isElementAccessExpression,
  isExportDeclaration,
  isImportDeclaration,
  isLiteralTypeNode,
  isNoSubstitutionTemplateLiteral,
  isParenthesizedExpression,
  isPropertyAssignment,
  isStringLiteral,
  isTemplateExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";

/** One text of a source file: a string, a template, or a sum of both. */
export interface SourceText {
  /** Path from the root of the project, with `/`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What is put into a template is an X. */
  readonly text: string;
  /** The function that the text is an argument of (`log.info`), as written; `undefined` outside of a call. */
  readonly callee: string | undefined;
}

/**
 * All texts of the source files under `folder`, as the compiler reads them. Types, imports and names of properties are
 * not among them. A text inside of what is put into a template is a text of its own.
 */
export function sourceTexts(root: string, folder: string): readonly SourceText[] {
  const api = new API({ cwd: root });
  try {
    const [project] = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] }).getProjects();
    if (project === undefined) throw new Error(`${root} has no project`);
    return project.rootFiles
      .map((path) => ({ path, file: relative(root, path).split(sep).join("/") }))
      .filter(({ file }) => file.startsWith(`${folder}/`))
      .flatMap(({ path, file }) => {
        const source = project.program.getSourceFile(path);
        if (source === undefined) throw new Error(`${file} is not in the program`);
        return textsOf(source, file);
      });
  } finally {
    api.close();
  }
}

function textsOf(source: SourceFile, file: string): readonly SourceText[] {
  const texts: SourceText[] = [];
  const add = (node: Node, text: string) => {
    const line = source.text.slice(0, node.getStart(source)).split("\n").length;
    texts.push({ file, line, text, callee: calleeOf(node)?.expression.getText(source) });
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
