// GraphiQL, served from the package, with operations to start from.
import { hash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { EXAMPLES } from './examples.ts';

/**
 * The script of the page alone may run, and talks to this server alone; styles are let through, which the editor writes
 * into elements, and its workers come from blobs. No other site can frame it to have somebody click in it.
 */
const policy = (script: string) =>
  [
    "default-src 'none'",
    `script-src 'sha256-${hash('sha256', script, 'base64')}'`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/** More tabs than fit beside each other are scrolled out of sight without a sign; this way they stand in rows. */
const STYLE = `
  .graphiql-container .graphiql-session-header { height: auto }
  .graphiql-container .graphiql-tabs { flex-wrap: wrap }`;

/** The page, made when it is first asked for; with a development token, its Authorization header is filled in. */
export function graphiqlPage(developmentToken: string | null): () => Response {
  let page: { html: Buffer; policy: string } | undefined;
  return () => {
    page ??= render(developmentToken);
    return new Response(new Uint8Array(page.html), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': page.policy,
      },
    });
  };
}

function render(developmentToken: string | null) {
  const headers = developmentToken
    ? JSON.stringify({ authorization: `Bearer ${developmentToken}` }, null, 2)
    : '{\n  "authorization": "Bearer …"\n}';
  const html = renderGraphiQL({
    title: 'Coterie',
    endpoint: '/graphql',
    headers,
    defaultQuery: EXAMPLES[0]!.query,
    defaultTabs: EXAMPLES.map(({ query, variables }) => ({
      query,
      variables: variables ? JSON.stringify(variables, null, 2) : null,
      headers,
    })),
    shouldPersistHeaders: false,
    // Whoever has no token yet has to fill one in first.
    defaultEditorToolsVisibility: developmentToken ? 'variables' : 'headers',
  }).replace('</head>', `<style>${STYLE}</style></head>`);
  // Its one script ends the body.
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  return { html: Buffer.from(html), policy: policy(script) };
}
