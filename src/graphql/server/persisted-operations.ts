// Operations sent by their hash: automatic persisted queries, or registered operations and no others.
import { type APQStore, useAPQ } from '@graphql-yoga/plugin-apq';
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { TrustedDocuments } from './trusted-documents.ts';

/** Bytes of all documents that are kept for automatic persisted queries: thousands of real ones. */
const MAX_BYTES = 16_000_000;
/** What an entry was found to take beside its texts. */
const ENTRY_BYTES = 200;

/** The parameter, beside `query`, that may name a registered operation (GraphQL over HTTP, appendix A). */
export const DOCUMENT_ID = 'documentId';

/**
 * With trusted documents only they are answered, each by its id; without, any operation is, and its hash alone will do
 * from the second time on. Stands before the plugins that look at a document, for it brings the document.
 */
export function persistedOperations(trusted: TrustedDocuments | null): Plugin {
  if (trusted === null) {
    // Clients look for the code and send the document again; a status other than 200 keeps some of them from looking.
    return useAPQ({ store: boundedStore(MAX_BYTES), responseConfig: { forceStatusCodeOk: true } });
  }
  return usePersistedOperations({
    extractPersistedOperationId: documentIdOf,
    getPersistedOperation: (id) => trusted.get(id) ?? null,
    customErrors: {
      notFound: refusal('DOCUMENT_NOT_REGISTERED', 'No operation is registered here by this id'),
      keyNotFound: refusal('DOCUMENT_ID_REQUIRED', BY_ID),
      persistedQueryOnly: refusal('DOCUMENT_ID_REQUIRED', BY_ID),
    },
  });
}

const BY_ID =
  'Only registered operations are answered here: send the id of one as `documentId` or `extensions.persistedQuery.sha256Hash`, and no `query`';

const refusal = (code: string, message: string) => ({
  message,
  extensions: { code, http: { status: 400 } },
});

type Params = { extensions?: { persistedQuery?: { sha256Hash?: unknown } } | null };

function documentIdOf(params: object): string | null {
  const id = (params as Record<string, unknown>)[DOCUMENT_ID];
  const hash = (params as Params).extensions?.persistedQuery?.sha256Hash;
  return typeof id === 'string' ? id : typeof hash === 'string' ? hash : null;
}

/** Documents by hash, up to this many bytes with their hashes; those unused for longest go first. */
export function boundedStore(maxBytes: number): APQStore {
  return new LRUCache<string, string>({
    maxSize: maxBytes,
    // A character takes two bytes where one of the text is not of Latin-1.
    sizeCalculation: (document, hash) => ENTRY_BYTES + 2 * (hash.length + document.length),
  });
}
