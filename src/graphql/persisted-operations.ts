// Operations sent by their hash: automatic persisted queries, or registered operations and no others.
import { type APQStore, useAPQ } from '@graphql-yoga/plugin-apq';
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations';
import type { Plugin } from 'graphql-yoga';
import type { TrustedDocuments } from './trusted-documents.ts';

/** Characters of all documents kept for automatic persisted queries: thousands of real ones, and no more memory than this. */
const MAX_KEPT_CHARACTERS = 4 * 1_024 * 1_024;

/** The parameter, beside `query`, that may name a registered operation (GraphQL over HTTP, appendix A). */
export const DOCUMENT_ID = 'documentId';

/**
 * With trusted documents only they are answered, each by its id; without, any operation is, and its hash alone will do
 * from the second time on. Stands before the plugins that look at a document, for it brings the document.
 */
export function persistedOperations(trusted: TrustedDocuments | null): Plugin {
  if (trusted === null) {
    // Clients look for the code and send the document again; a status other than 200 keeps some of them from looking.
    return useAPQ({ store: boundedStore(MAX_KEPT_CHARACTERS), responseConfig: { forceStatusCodeOk: true } });
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

/** Documents by hash, up to this many characters in all; those unused for longest go first. */
export function boundedStore(limit: number): APQStore {
  // A Map iterates in the order of insertion, so an entry that is used is inserted again.
  const documents = new Map<string, string>();
  let kept = 0;
  const remove = (hash: string) => {
    kept -= documents.get(hash)?.length ?? 0;
    documents.delete(hash);
  };
  return {
    get(hash) {
      const document = documents.get(hash);
      if (document === undefined) return undefined;
      documents.delete(hash);
      documents.set(hash, document);
      return document;
    },
    set(hash, document) {
      remove(hash);
      documents.set(hash, document);
      kept += document.length;
      for (const oldest of documents.keys()) {
        if (kept <= limit) break;
        remove(oldest);
      }
    },
  };
}
