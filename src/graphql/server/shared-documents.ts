// Documents of subscriptions, parsed and validated once for each text: an open subscription holds its document.
import { type DocumentNode, Kind } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';

/** Documents to remember: more than the frontends of one directory have. The limit of tokens bounds each, to some 300 KB. */
const MAX_DOCUMENTS = 50;

/** Must precede the plugins that inspect a document: they have found no fault in it before. */
export function sharedDocuments(): Plugin {
  const documents = new LRUCache<string, DocumentNode>({ max: MAX_DOCUMENTS });
  const texts = new WeakMap<DocumentNode, string>();
  return {
    onParse({ params: { source }, setParsedDocument }) {
      const known = typeof source === 'string' ? documents.get(source) : undefined;
      if (known) return setParsedDocument(known);
      return ({ result }) => {
        if (typeof source === 'string' && isSubscription(result)) texts.set(result, source);
      };
    },
    onValidate({ params: { documentAST }, setResult }) {
      const text = texts.get(documentAST);
      if (text === undefined) return;
      if (documents.get(text) === documentAST) return setResult([]);
      return ({ valid }) => {
        if (valid) documents.set(text, documentAST);
      };
    },
  };
}

function isSubscription(result: unknown): result is DocumentNode {
  const { definitions = [] } = (result ?? {}) as Partial<DocumentNode>;
  return definitions.some(
    (node) => node.kind === Kind.OPERATION_DEFINITION && node.operation === 'subscription',
  );
}
