// Reads an import file as a stream of rows: never more of it in memory than one row.
import { createReadStream } from 'node:fs';
import { getManyValues, isMany, none } from 'stream-chain/core';
import Assembler from 'stream-json/core/assembler.js';
import { jsonParser, type Token } from 'stream-json/core/parser.js';
import { parseNumber } from '../model/json.ts';
import type { SourceRow } from './rows.ts';

/**
 * The file's rows, section by section, each with its place. Throws where the file is not UTF-8, not JSON or no object, and
 * says in which line and after which row.
 */
export async function* readImportFile(
  path: string,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<SourceRow> {
  const tokens = tokenizer();
  const reader = new RowReader();
  let line = 1;
  function* read(bytes: Buffer | null): Generator<SourceRow> {
    try {
      for (const token of tokens(bytes)) {
        const row = reader.take(token);
        if (row) yield row;
      }
    } catch (error) {
      throw new Error(`${path}, line ${line}, ${reader.place()}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    onBytes(chunk.length);
    for (const part of parts(chunk)) {
      yield* read(part);
      if (part.at(-1) === LINE_FEED) line += 1;
    }
  }
  yield* read(null);
}

const [LINE_FEED, OPENING_BRACKET, CLOSING_BRACE] = Buffer.from('\n[}');

/** The bytes up to each end of a line, start of a section and end of a row: a fault of the text is then within one of them. */
function* parts(chunk: Buffer): Generator<Buffer> {
  let start = 0;
  for (let end = 1; end <= chunk.length; end += 1) {
    const last = chunk[end - 1];
    const isPart = last === LINE_FEED || last === CLOSING_BRACE || last === OPENING_BRACKET;
    if (!isPart && end < chunk.length) continue;
    yield chunk.subarray(start, end);
    start = end;
  }
}

/** The tokens of the next bytes; null for the end of the file. */
function tokenizer(): (bytes: Buffer | null) => Token[] {
  const parse = jsonParser({ streamValues: false }) as (text: unknown) => unknown;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes: Buffer | null) => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new Error('the text is not UTF-8', { cause });
    }
  };
  const valuesOf = (parsed: unknown) => (isMany(parsed) ? (getManyValues(parsed as never) as Token[]) : []);
  return (bytes) => {
    const read = valuesOf(parse(decode(bytes)));
    return bytes ? read : [...read, ...valuesOf(parse(none))];
  };
}

/** Puts tokens together to rows: the values of the arrays that the file's object holds. */
class RowReader {
  private depth = 0;
  private section = '';
  private isArray = false;
  private row: RowAssembler | null = null;
  /** Rows read of each section. */
  private readonly counts = new Map<string, number>();

  /** The row that the token ends, if it ends one. */
  take(token: Token): SourceRow | null {
    const { name } = token;
    if (this.depth === 0 && name !== 'startObject') throw new Error('the file must hold a JSON object');
    const closes = name === 'endObject' || name === 'endArray';
    let found: SourceRow | null = null;
    if (this.depth === 1 && name === 'keyValue') {
      this.section = String(token.value);
    } else if (this.depth === 1 && !closes) {
      this.isArray = name === 'startArray';
      if (!this.isArray) found = { section: this.section, index: null, row: undefined };
    } else if (this.depth > 1 && this.isArray && !(closes && this.depth === 2)) {
      this.row ??= new RowAssembler();
      this.row.consume(token);
      if (this.row.done) found = this.finish(this.row);
    }
    if (name === 'startObject' || name === 'startArray') this.depth += 1;
    if (closes) this.depth -= 1;
    return found;
  }

  /** Where the reader is, for people. */
  place(): string {
    if (this.section === '') return 'at the start';
    const index = this.counts.get(this.section) ?? 0;
    return index === 0 ? `in ${this.section}` : `after ${this.section}[${index - 1}]`;
  }

  private finish({ current, repeated }: RowAssembler): SourceRow {
    const index = this.counts.get(this.section) ?? 0;
    this.counts.set(this.section, index + 1);
    this.row = null;
    const row = { section: this.section, index, row: current as unknown };
    return repeated === null ? row : { ...row, fault: `${repeated} stands in it twice` };
  }
}

/** An assembler that loses nothing without a word: neither one of two values for a key, nor a digit. */
class RowAssembler extends Assembler {
  repeated: string | null = null;

  override keyValue(key: string): void {
    if (Object.hasOwn(this.current as object, key)) this.repeated = key;
    super.keyValue(key);
  }

  override numberValue(text: string): void {
    // Saves a value of any type.
    this.stringValue(parseNumber(text) as never);
  }
}
