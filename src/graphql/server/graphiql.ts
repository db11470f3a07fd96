// The GraphiQL page, with example operations.
import { hash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { EXAMPLES } from './examples.ts';

/**
 * The Content-Security-Policy. Only the page's own script runs, and it can connect to this server only. The editor needs
 * inline styles, and starts its workers from blobs. No site may frame the page, which prevents clickjacking.
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

/**
 * By default, tabs that do not fit are scrolled out of view without a scroll bar: here they wrap into rows. And pressing a
 * tab moves it away from the pointer before the click is complete: here it does not move.
 */
const STYLE = `
  .graphiql-container .graphiql-session-header { height: auto }
  .graphiql-container .graphiql-tabs { flex-wrap: wrap }
  .graphiql-container .graphiql-tab { transform: none !important }`;

/** Returns the page, rendered on the first request. Its Authorization header has the development token, if there is one. */
export function graphiqlPage(developmentToken: string | null): () => Response {
  let page: ReturnType<typeof render> | undefined;
  return () => {
    page ??= render(developmentToken);
    return new Response(new Uint8Array(page.html), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': page.policy,
        etag: page.etag,
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
    // Without a token, the user has to enter one first.
    defaultEditorToolsVisibility: developmentToken ? 'variables' : 'headers',
  }).replace('</head>', `<style>${STYLE}</style></head>`);
  // The page has one script, at the end of the body.
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  return {
    html: Buffer.from(html),
    policy: policy(script),
    etag: `"${hash('sha256', html, 'base64url')}"`,
  };
}
