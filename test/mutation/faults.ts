// The small faults that can be put into a source file, read off its syntax tree: one changed operator, flag or call each.
import { readFileSync } from 'node:fs';
import { parseAst } from 'vitest/node';
import { type Edit, sqlFaults } from './sql-faults.ts';

/**
 * A fault. `start` and `end` delimit the expression or statement that is replaced whole, by `text`; `what` shows the fault
 * itself. The key is the same as long as the code around the fault is, wherever it stands in the file.
 */
export type Fault = {
  file: string;
  line: number;
  operator: string;
  what: string;
  key: string;
  start: number;
  end: number;
  text: string;
  wrap: 'expression' | 'statement';
};

/** What a fault is called in reports: the same from one run to the next. */
export const nameOf = ({ file, key }: Pick<Fault, 'file' | 'key'>) => `${file} | ${key}`;

// biome-ignore lint/suspicious/noExplicitAny: the nodes of ESTree, read by name.
type Node = any;

const EQUALITIES: Record<string, string[]> = {
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
  '<': ['<=', '>'],
  '<=': ['<', '>'],
  '>': ['>=', '<'],
  '>=': ['>', '<'],
};
const ARITHMETIC: Record<string, string[]> = { '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'] };
const ASSIGNMENTS: Record<string, string> = { '+=': '-=', '-=': '+=', '??=': '=', '||=': '=', '&&=': '=' };
/** Methods that a fault forgets to call. */
const FORGOTTEN = new Set(
  'filter sort toSorted reverse toReversed trim toLowerCase toUpperCase slice normalize flat unref'.split(
    ' ',
  ),
);
const RENAMED: Record<string, string> = {
  some: 'every',
  every: 'some',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  push: 'unshift',
  min: 'max',
  max: 'min',
  all: 'race',
};
/** Properties that say something to people alone. */
const PROSE = new Set([
  'description',
  'title',
  'summary',
  'deprecationReason',
  'help',
  'example',
  'examples',
]);

/** All faults of a file; `root` is where its name begins. */
export function faultsOf(root: string, file: string): Fault[] {
  const source = readFileSync(`${root}/${file}`, 'utf8');
  const faults: Fault[] = [];
  const seen = new Map<string, number>();
  const lineOf = (offset: number) => source.slice(0, offset).split('\n').length;
  const textOf = (node: { start: number; end: number }) => source.slice(node.start, node.end);

  /** Notes that `edit` is made inside `node`, which is then replaced whole. */
  const add = (
    node: Node,
    operator: string,
    edit: Omit<Edit, 'operator'>,
    wrap: Fault['wrap'] = 'expression',
  ) => {
    const text = source.slice(node.start, edit.start) + edit.text + source.slice(edit.end, node.end);
    const from = source.slice(edit.start, edit.end).replaceAll(/\s+/g, ' ');
    const what = edit.text === '' ? `-${from}` : `${from} → ${edit.text}`;
    const lineStart = source.lastIndexOf('\n', edit.start) + 1;
    const context = source.slice(lineStart, source.indexOf('\n', edit.start)).trim();
    const name = `${context} | ${what}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const key = count === 1 ? name : `${name} | ${count}`;
    faults.push({
      file,
      line: lineOf(edit.start),
      operator,
      what,
      key,
      start: node.start,
      end: node.end,
      text,
      wrap,
    });
  };
  const whole = (node: Node, operator: string, text: string) => add(node, operator, { ...range(node), text });
  const removed = (node: Node, operator: string) =>
    add(node, operator, { ...range(node), text: '' }, 'statement');
  /** Replaces the operator that stands between two operands. */
  const operator = (node: Node, left: Node, right: Node, text: string, kind: string) => {
    const between = source.slice(left.end, right.start);
    const at = left.end + between.indexOf(node.operator);
    add(node, kind, { start: at, end: at + node.operator.length, text });
  };

  const visitors: Record<string, (node: Node, parent: Node, parentKey: string) => void> = {
    BinaryExpression(node) {
      const { left, right } = node;
      for (const text of own(EQUALITIES, node.operator) ?? [])
        operator(node, left, right, text, 'comparison');
      const strings = [left, right].some((side) => isText(side));
      if (!strings)
        for (const text of own(ARITHMETIC, node.operator) ?? [])
          operator(node, left, right, text, 'arithmetic');
    },
    LogicalExpression(node) {
      const { left, right } = node;
      if (node.operator === '??') whole(node, 'fallback', textOf(left));
      else operator(node, left, right, node.operator === '&&' ? '||' : '&&', 'logic');
    },
    IfStatement: ({ test }) => condition(test),
    ConditionalExpression: ({ test }) => condition(test),
    WhileStatement: ({ test }) => whole(test, 'condition', 'false'),
    UnaryExpression(node) {
      if (node.operator === '!') whole(node, 'negation', textOf(node.argument));
      if (node.operator === '-') whole(node, 'negation', textOf(node.argument));
    },
    UpdateExpression(node) {
      const turned = textOf(node).replace(node.operator, node.operator === '++' ? '--' : '++');
      whole(node, 'arithmetic', turned);
    },
    AssignmentExpression(node) {
      const turned = ASSIGNMENTS[node.operator];
      if (turned) operator(node, node.left, node.right, turned, 'assignment');
    },
    Literal(node, parent, parentKey) {
      if (parentKey === 'key' || parentKey === 'source' || parent?.type === 'ImportAttribute') return;
      if (typeof node.value === 'boolean') return whole(node, 'flag', String(!node.value));
      if (typeof node.value === 'number') return whole(node, 'number', String(changed(node.value)));
      if (node.regex) return expression(node);
      if (typeof node.value !== 'string' || parent?.type === 'ExpressionStatement') return;
      // What holds a space is prose for people, who may word it otherwise.
      if (/\s/.test(node.value)) return;
      whole(node, 'text', node.value === '' ? "'?'" : "''");
    },
    ArrayExpression(node) {
      const { elements } = node;
      if (elements.length === 0 || elements.length > 8) return;
      elements.forEach((element: Node, index: number) => {
        if (!element) return;
        const next = elements[index + 1];
        const previous = elements[index - 1];
        const start = next || !previous ? element.start : previous.end;
        add(node, 'element', { start, end: next ? next.start : element.end, text: '' });
      });
    },
    Property(node, parent) {
      // One that is computed at import is a declaration, which the printed schema shows.
      if (parent?.type !== 'ObjectExpression' || depth === 0 || isProse(node.key)) return;
      const after = /^\s*,/.exec(source.slice(node.end))?.[0].length ?? 0;
      add(parent, 'property', { start: node.start, end: node.end + after, text: '' });
    },
    CallExpression(node) {
      const { callee } = node;
      if (callee.type !== 'MemberExpression' || callee.computed) return;
      const name = callee.property.name;
      const { object, property } = callee;
      const dot = source.lastIndexOf('.', property.start) - (callee.optional ? 1 : 0);
      if (FORGOTTEN.has(name)) add(node, 'call', { start: dot, end: node.end, text: '' });
      const renamed = own(RENAMED, name);
      if (renamed && (name !== 'all' || textOf(object) === 'Promise')) {
        add(node, 'call', { ...range(property), text: renamed });
      }
    },
    ExpressionStatement(node) {
      if (!node.directive) removed(node, 'statement');
    },
    ThrowStatement: (node) => removed(node, 'statement'),
    ContinueStatement: (node) => removed(node, 'statement'),
    BreakStatement(node, parent) {
      if (parent?.type !== 'SwitchCase') removed(node, 'statement');
    },
    ReturnStatement(node) {
      if (!node.argument) removed(node, 'statement');
    },
    TaggedTemplateExpression(node) {
      if (!/(^|\.)sql$/.test(textOf(node.tag))) return;
      for (const edit of sqlFaults(source, node.quasi.start + 1, node.quasi.end - 1))
        add(node, edit.operator, edit);
    },
  };
  function condition(test: Node): void {
    whole(test, 'condition', 'true');
    whole(test, 'condition', 'false');
  }
  function expression(node: Node): void {
    const { pattern, flags } = node.regex;
    const edits = [
      ...(pattern.startsWith('^') ? [`/${pattern.slice(1)}/${flags}`] : []),
      ...(pattern.endsWith('$') ? [`/${pattern.slice(0, -1)}/${flags}`] : []),
      ...(flags.includes('i') ? [`/${pattern}/${flags.replace('i', '')}`] : []),
    ];
    for (const text of edits) if (!text.startsWith('//')) whole(node, 'pattern', text);
  }

  /** How many functions are around the node. */
  let depth = 0;
  function visit(node: Node, parent: Node, parentKey: string, spine: boolean): void {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, parent, parentKey, spine);
      return;
    }
    if (!node || typeof node.type !== 'string' || isTypeOnly(node)) return;
    // Inside `a?.b.c` no part can be put into parentheses: it would end the short circuit.
    const inChain = spine && /^(Member|Call)Expression$/.test(node.type);
    if (!inChain) visitors[node.type]?.(node, parent, parentKey);
    const isFunction = /Function/.test(node.type);
    if (isFunction) depth++;
    for (const [key, child] of Object.entries<Node>(node)) {
      if (key === 'type' || key === 'start' || key === 'end' || typeof child !== 'object' || child === null)
        continue;
      if (node.type === 'Property' && isProse(node.key) && key === 'value') continue;
      if (node.type === 'TaggedTemplateExpression' && key === 'tag') continue;
      if ((node.type === 'AssignmentExpression' && key === 'left') || key === 'params') {
        visitDefaults(child, node, key);
        continue;
      }
      if (node.type === 'UpdateExpression') continue;
      const inner = node.type === 'ChainExpression' || (inChain && (key === 'object' || key === 'callee'));
      visit(child, node, key, inner);
    }
    if (isFunction) depth--;
  }
  /** Targets cannot be replaced; the values that they fall back to can. */
  function visitDefaults(node: Node, parent: Node, parentKey: string): void {
    if (Array.isArray(node)) {
      for (const item of node) visitDefaults(item, parent, parentKey);
    } else if (node?.type === 'AssignmentPattern') {
      visitDefaults(node.left, node, 'left');
      visit(node.right, node, 'right', false);
    } else if (node?.type === 'ObjectPattern' || node?.type === 'ArrayPattern' || node?.type === 'Property') {
      visitDefaults(node.properties ?? node.elements ?? node.value, node, 'value');
    }
  }
  visit(parseAst(source, { lang: 'ts' }).body, null, 'body', false);
  return faults;
}

/** What a table says of a name that comes from the source: `toString` is no entry. */
const own = <Value>(table: Record<string, Value>, name: string): Value | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** One more for what may be a bound; times and sizes are only right by their magnitude. */
const changed = (value: number) => (value < 10_000 ? value + 1 : value * 2);

const range = ({ start, end }: Node) => ({ start, end });

function isText(node: Node): boolean {
  return (
    (node.type === 'Literal' && typeof node.value === 'string') ||
    node.type === 'TemplateLiteral' ||
    (node.type === 'BinaryExpression' && node.operator === '+' && (isText(node.left) || isText(node.right)))
  );
}

const isProse = (key: Node) => PROSE.has(key?.name ?? key?.value);

const isTypeOnly = (node: Node) =>
  /^Import/.test(node.type) ||
  (node.type.startsWith('TS') && !/^TS(As|Satisfies|NonNull)/.test(node.type)) ||
  node.exportKind === 'type';
