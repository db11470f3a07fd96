// Small faults in a SQL text: a lost conjunct, a turned comparison, a missing lock. One at a time, as people make them.

/** A part of a text that a fault replaces; offsets in UTF-16 units. */
export type Edit = { start: number; end: number; text: string; operator: string };

/** `depth` counts the open parentheses around the token. */
type Token = { text: string; start: number; end: number; depth: number };

/** Words that end a conjunct at their own depth. */
const CLAUSE_WORDS = new Set(
  `and or order group limit offset having union except intersect for returning on join left inner cross where then
   else end when do set from window select values with`.split(/\s+/),
);
/** Words that open a list of conjuncts. */
const CONDITION_WORDS = new Set(['where', 'on', 'having']);
const COMPARISONS: Record<string, string> = {
  '=': '<>',
  '<>': '=',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
};
const WORDS: Record<string, string> = {
  asc: 'desc',
  desc: 'asc',
  true: 'false',
  false: 'true',
  greatest: 'least',
  least: 'greatest',
  or: 'and',
  distinct: '',
};
const FUNCTIONS: Record<string, string> = { min: 'max', max: 'min', lower: '' };

/** The faults of a SQL template, whose text runs from `start` to `end` of the source; its `${…}` are left whole. */
export function sqlFaults(source: string, start: number, end: number): Edit[] {
  const tokens = tokenize(source, start, end);
  return tokens.flatMap((_, index) => faultsAt(tokens, index, end));
}

function faultsAt(tokens: Token[], index: number, end: number): Edit[] {
  const token = tokens[index]!;
  const word = token.text.toLowerCase();
  const next = tokens[index + 1];
  const previous = tokens[index - 1]?.text.toLowerCase() ?? '';
  const replace = (text: string, until = token): Edit => ({
    start: token.start,
    end: until.end,
    text,
    operator: 'sql',
  });
  if (word === 'and' && !isBetween(tokens, index)) {
    const last = conjunctEnd(tokens, index + 1);
    return last ? [{ ...replace('', last), operator: 'sql conjunct' }] : [];
  }
  if (
    CONDITION_WORDS.has(word) &&
    !(word === 'on' && (previous === 'distinct' || next?.text === 'conflict'))
  ) {
    const last = conjunctEnd(tokens, index + 1);
    if (!last || !next) return [];
    const follower = tokens[tokens.indexOf(last) + 1];
    const more = follower?.text.toLowerCase() === 'and' && follower.depth === token.depth;
    const removed = more ? follower.end : last.end;
    return [{ start: next.start, end: removed, text: more ? '' : 'true', operator: 'sql conjunct' }];
  }
  if (COMPARISONS[word] && clauseOf(tokens, index) !== 'set') return [replace(COMPARISONS[word])];
  if (word === 'is' && next) {
    const not = next.text.toLowerCase() === 'not';
    const subject = not ? tokens[index + 2] : next;
    return subject?.text.toLowerCase() === 'null' ? [replace(not ? 'is' : 'is not', not ? next : token)] : [];
  }
  if (word === 'exists') return previous === 'not' ? [] : [replace('not exists')];
  if (word === 'not' && next?.text.toLowerCase() === 'exists') return [replace('exists', next)];
  if (word === 'left' && next?.text.toLowerCase() === 'join') return [replace('join', next)];
  if (word === 'union') {
    return next?.text.toLowerCase() === 'all' ? [replace('union', next)] : [replace('union all')];
  }
  if (word === 'distinct' && (previous === 'is' || previous === 'not' || next?.text.toLowerCase() === 'on'))
    return [];
  if (WORDS[word] !== undefined) return [replace(WORDS[word])];
  if (FUNCTIONS[word] !== undefined && next?.text === '(') return [replace(FUNCTIONS[word])];
  if (word === 'for' && /^(update|no|share|key)$/i.test(next?.text ?? '')) {
    return [{ ...replace('', lockEnd(tokens, index)), operator: 'sql lock' }];
  }
  if (word === 'skip' && next?.text.toLowerCase() === 'locked')
    return [{ ...replace('', next), operator: 'sql lock' }];
  if (word === 'on' && next?.text.toLowerCase() === 'conflict') {
    const nothing = tokens.findIndex((other, at) => at > index && other.text.toLowerCase() === 'nothing');
    return nothing < 0 ? [] : [{ ...replace('', tokens[nothing]), operator: 'sql conflict' }];
  }
  if ((word === '+' || word === '-') && next && previous !== '(' && previous !== ',') {
    return [replace(word === '+' ? '-' : '+')];
  }
  // Of the number in `exists (select 1 …)` nobody asks.
  if (/^\d+$/.test(word) && previous !== '::' && previous !== '(' && previous !== 'select')
    return [replace(String(Number(word) + 1))];
  if (word === ',' && clauseOf(tokens, index) === 'set') {
    const last = tokens
      .slice(index + 1)
      .find((_other, at, rest) => endsAssignment(rest[at + 1], token.depth));
    return [{ start: token.start, end: last?.end ?? end, text: '', operator: 'sql assignment' }];
  }
  return [];
}

/** The last token of the conjunct that begins at `index`; null if there is none. */
function conjunctEnd(tokens: Token[], index: number): Token | null {
  const depth = tokens[index]?.depth ?? 0;
  let last: Token | null = null;
  for (const token of tokens.slice(index)) {
    if (token.depth < depth) break;
    if (token.depth === depth && last && (token.text === ',' || CLAUSE_WORDS.has(token.text.toLowerCase())))
      break;
    last = token;
  }
  return last;
}

function isBetween(tokens: Token[], index: number): boolean {
  const { depth } = tokens[index]!;
  return tokens
    .slice(Math.max(0, index - 8), index)
    .some((token) => token.depth === depth && token.text.toLowerCase() === 'between');
}

/** The last word of a clause before the token, at its depth. */
function clauseOf(tokens: Token[], index: number): string | undefined {
  const { depth } = tokens[index]!;
  for (let at = index - 1; at >= 0; at--) {
    const token = tokens[at]!;
    if (token.depth < depth) return undefined;
    const word = token.text.toLowerCase();
    if (token.depth === depth && CLAUSE_WORDS.has(word)) return word;
  }
  return undefined;
}

const endsAssignment = (next: Token | undefined, depth: number) =>
  !next ||
  next.depth < depth ||
  (next.depth === depth && (next.text === ',' || CLAUSE_WORDS.has(next.text.toLowerCase())));

function lockEnd(tokens: Token[], index: number): Token {
  const words = /^(update|no|share|key|of|skip|locked|nowait)$/i;
  let last = tokens[index]!;
  for (const token of tokens.slice(index + 1)) {
    if (!words.test(token.text) && last.text.toLowerCase() !== 'of') break;
    last = token;
  }
  return last;
}

function tokenize(source: string, start: number, end: number): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let at = start;
  while (at < end) {
    const rest = source.slice(at, end);
    const space = /^(?:\s+|--[^\n]*)/.exec(rest);
    if (space) {
      at += space[0].length;
      continue;
    }
    const text = rest.startsWith('${')
      ? source.slice(at, holeEnd(source, at))
      : /^(?:'[^']*'|"[^"]*"|[a-z_][\w]*|\d+|<>|<=|>=|->>?|@>|<@|::|\|\||.)/is.exec(rest)![0];
    if (text === ')') depth--;
    tokens.push({ text, start: at, end: at + text.length, depth });
    if (text === '(') depth++;
    at += text.length;
  }
  return tokens;
}

/** Where the `${…}` that begins here ends; braces, strings and templates inside are balanced. */
function holeEnd(source: string, start: number): number {
  let open = 0;
  for (let at = start + 1; at < source.length; at++) {
    const character = source[at]!;
    if (character === '{') open++;
    if (character === '}' && --open === 0) return at + 1;
    if (character === "'" || character === '"') at = source.indexOf(character, at + 1);
    if (character === '`') at = templateEnd(source, at);
  }
  return source.length;
}

function templateEnd(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '`') return at;
    else if (source.startsWith('${', at)) at = holeEnd(source, at) - 1;
  }
  return source.length;
}
