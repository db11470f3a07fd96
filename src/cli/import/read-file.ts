// Reads an import file as a stream of rows: never more of it in memory than one row.
import { createReadStream } from 'node:fs';
import Assembler from 'stream-json/assembler.js';
import parser, { type Token } from 'stream-json/parser.js';
import type { SourceRow } from './rows.ts';

/** The file's rows, section by section. Throws where the text is no JSON, or no object of arrays. */
export async function* readImportFile(
  path: string,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<SourceRow> {
  const file = createReadStream(path);
  file.on('data', (chunk) => onBytes(chunk.length));
  const tokens = file.pipe(parser.asStream({ streamValues: false }));
  // `pipe` does not pass errors on: an unreadable file must end the loop below too.
  file.on('error', (error) => tokens.destroy(error));
  let depth = 0;
  let section = '';
  let index = 0;
  let assembler: Assembler | null = null;
  for await (const token of tokens as AsyncIterable<Token>) {
    const opens = token.name === 'startObject' || token.name === 'startArray';
    const closes = token.name === 'endObject' || token.name === 'endArray';
    if (opens && depth === 0 && token.name !== 'startObject')
      throw new Error('The file must hold a JSON object');
    if (depth === 1 && token.name === 'keyValue') {
      section = String(token.value);
      index = 0;
    }
    if (opens && depth === 2) assembler = new Assembler();
    if (opens) depth += 1;
    assembler?.consume(token);
    if (!closes) continue;
    depth -= 1;
    if (depth !== 2 || assembler === null) continue;
    yield { section, index, row: assembler.current };
    assembler = null;
    index += 1;
  }
}
