// Persisted operations: automatic persisted queries, or registered operations only.
import { type APQStore, useAPQ } from '@graphql-yoga/plugin-apq';
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { TrustedDocuments } from './trusted-documents.ts';

/** Memory of the store of automatic persisted queries, in bytes: room for thousands of real documents. */
const MAX_BYTES = 16_000_000;
/** Measured memory of an entry besides its strings. */
const ENTRY_BYTES = 200;

/** The parameter, beside `query`, that may name a registered operation (GraphQL over HTTP, appendix A). */
export const DOCUMENT_ID = 'documentId';

/**
 * With trusted documents, accepts these operations only, each by its id. Without, accepts any operation, and its hash
 * alone once the document has been sent. Must precede the plugins that inspect a document, because it provides it.
 */
export function persistedOperations(trusted: TrustedDocuments | null): Plugin {
  if (trusted === null) {
    // Some clients do not read the error code of a response with another status, and so never send the document.
    return useAPQ({ store: boundedStore(MAX_BYTES), responseConfig: { forceStatusCodeOk: true } });
  }
  return usePersistedOperations({
    extractPersistedOperationId: documentIdOf,
    getPersistedOperation: (id) => trusted.get(id) ?? null,
    customErrors: {
      notFound: refusal('DOCUMENT_NOT_REGISTERED', 'No operation is registered under this id'),
      keyNotFound: refusal('DOCUMENT_ID_REQUIRED', ID_REQUIRED),
      persistedQueryOnly: refusal('DOCUMENT_ID_REQUIRED', ID_REQUIRED),
    },
  });
}

const ID_REQUIRED =
  'Only registered operations are accepted: send its id as `documentId` or `extensions.persistedQuery.sha256Hash`, no `query`';

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

/** An LRU cache of documents by hash. `maxBytes` bounds the memory of hashes and documents. */
export function boundedStore(maxBytes: number): APQStore {
  return new LRUCache<string, string>({
    maxSize: maxBytes,
    // V8 stores a string with two bytes per character if any character is outside Latin-1.
    sizeCalculation: (document, hash) => ENTRY_BYTES + 2 * (hash.length + document.length),
  });
}
