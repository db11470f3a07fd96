// Reads an import file as a stream of rows, with at most one row and one chunk of the file in memory.
import { createReadStream } from 'node:fs';
import { getManyValues, isMany, none } from 'stream-chain/core';
import Assembler from 'stream-json/core/assembler.js';
import { jsonParser, type Token } from 'stream-json/core/parser.js';
import { parseNumber } from '../model/json.ts';
import type { SourceRow } from './rows.ts';

/**
 * Yields the file's rows in order, each with its section and index. Throws if the file is not UTF-8, not JSON or not an
 * object; the message names the line and the preceding row. `onBytes` is called for each chunk read.
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
      throw new Error(`${path}, line ${line}, ${reader.position()}: ${(error as Error).message}`, {
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

/** Splits a chunk after each line end, section start and row end, so that the position of an error in the text is exact. */
function* parts(chunk: Buffer): Generator<Buffer> {
  let start = 0;
  for (let end = 1; end <= chunk.length; end += 1) {
    const last = chunk[end - 1];
    const isBoundary = last === LINE_FEED || last === CLOSING_BRACE || last === OPENING_BRACKET;
    if (!isBoundary && end < chunk.length) continue;
    yield chunk.subarray(start, end);
    start = end;
  }
}

/** Returns a function that parses the next bytes into tokens; null marks the end of the file. */
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
    const parsed = valuesOf(parse(decode(bytes)));
    return bytes ? parsed : [...parsed, ...valuesOf(parse(none))];
  };
}

/** Assembles tokens into rows: the elements of the arrays in the file's top-level object. */
class RowReader {
  private depth = 0;
  private section = '';
  private isArray = false;
  private row: RowAssembler | null = null;
  /** The number of rows read per section. */
  private readonly counts = new Map<string, number>();

  /** Consumes a token, and returns the row that it completes, if any. */
  take(token: Token): SourceRow | null {
    const { name } = token;
    if (this.depth === 0 && name !== 'startObject') throw new Error('the file must hold a JSON object');
    const closes = name === 'endObject' || name === 'endArray';
    let completed: SourceRow | null = null;
    if (this.depth === 1 && name === 'keyValue') {
      this.section = String(token.value);
    } else if (this.depth === 1 && !closes) {
      this.isArray = name === 'startArray';
      if (!this.isArray) completed = { section: this.section, index: null, row: undefined };
    } else if (this.depth > 1 && this.isArray && !(closes && this.depth === 2)) {
      this.row ??= new RowAssembler();
      this.row.consume(token);
      if (this.row.done) completed = this.finish(this.row);
    }
    if (name === 'startObject' || name === 'startArray') this.depth += 1;
    if (closes) this.depth -= 1;
    return completed;
  }

  /** The current position, for error messages. */
  position(): string {
    if (this.section === '') return 'at the start';
    const index = this.counts.get(this.section) ?? 0;
    return index === 0 ? `in ${this.section}` : `after ${this.section}[${index - 1}]`;
  }

  private finish({ current, repeated }: RowAssembler): SourceRow {
    const index = this.counts.get(this.section) ?? 0;
    this.counts.set(this.section, index + 1);
    this.row = null;
    const row = { section: this.section, index, row: current as unknown };
    return repeated === null ? row : { ...row, fault: `duplicate key ${repeated}` };
  }
}

/** An assembler without silent loss: it notes duplicate keys, and keeps all digits of numbers. */
class RowAssembler extends Assembler {
  repeated: string | null = null;

  override keyValue(key: string): void {
    if (Object.hasOwn(this.current as object, key)) this.repeated = key;
    super.keyValue(key);
  }

  override numberValue(text: string): void {
    // `stringValue` stores a value of any type.
    this.stringValue(parseNumber(text) as never);
  }
}
