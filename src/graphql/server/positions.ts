// Tells with each answer the positions of the tenants' logs that it holds.
import type { Plugin } from 'graphql-yoga';
import type { Directory } from '../../domain/directory.ts';
import { printPositions } from '../../model/positions.ts';
import type { RequestLog } from '../../model/request-log.ts';
import type { Context } from '../schema/context.ts';

/** The extension of a result, and the same text for the log and the header of the response; nothing if no tenant was read. */
export function positionExtension({ positions }: Directory, log: RequestLog): { position?: string } {
  if (positions.size === 0) return {};
  const position = printPositions(positions);
  log.notePositions(position);
  return { position };
}

/** Adds the extension to each result. */
export function positionsOf(log: () => RequestLog): Plugin {
  return {
    onExecute: ({ args }) => ({
      onExecuteDone({ result, setResult }) {
        if (Symbol.asyncIterator in result) return;
        const { directory } = args.contextValue as unknown as Context;
        const extensions = { ...result.extensions, ...positionExtension(directory, log()) };
        setResult({ ...result, extensions });
      },
    }),
  };
}
