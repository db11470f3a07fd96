// Serves the reference page: Swagger UI from its package, reading /openapi.json. The page loads nothing from other hosts.
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Api } from './api.ts';

/** The package's files that the page needs, with their media types. */
const ASSETS: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const SCRIPT = `// Opens the reference, authorized with the page's token if there is one.
const ui = SwaggerUIBundle({
  dom_id: '#reference',
  url: '/openapi.json',
  validatorUrl: null,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  onComplete() {
    const token = JSON.parse(document.getElementById('token').textContent);
    if (token) ui.preauthorizeApiKey('bearerAuth', token);
  },
});
`;

/** Content security policy: scripts and requests use this server only. Swagger UI needs inline styles. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Adds the page and its files to the app. In development the page holds a token, so that operations can be tried at once.
 * The token is in the page rather than in a script, because other sites could load the script. A request with an Origin
 * gets the page without a token, because `CORS_ORIGINS` may let that origin read the response.
 */
export function addDocs(api: Api, developmentToken: string | null): void {
  const [withToken, withoutToken] = [page(developmentToken), page(null)];
  api.get('/docs', (c) => {
    const html = c.req.header('origin') === undefined ? withToken : withoutToken;
    return c.html(html, 200, {
      'content-security-policy': POLICY,
      'cache-control': 'no-store',
      etag: pageTag(html),
    });
  });
  api.get('/docs/reference.js', (c) =>
    c.body(SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }),
  );
  for (const [name, type] of Object.entries(ASSETS)) {
    let loading: ReturnType<typeof asset> | undefined;
    api.get(`/docs/${name}`, async (c) => {
      loading ??= asset(name);
      const { bytes, etag } = await loading;
      return c.body(bytes, 200, { 'content-type': type, 'cache-control': 'public, max-age=3600', etag });
    });
  }
}

async function asset(name: string) {
  const bytes = await readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)));
  return { bytes, etag: pageTag(bytes) };
}

/** The strong entity tag of a page that is the same for all clients. It is also the key of the page's compressed form. */
export const pageTag = (page: string | Buffer): string => `"${hash('sha256', page, 'base64url')}"`;

const page = (developmentToken: string | null) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Coterie: REST reference</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <link rel="icon" href="/docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="reference"></div>
    <script type="application/json" id="token">${JSON.stringify(developmentToken)}</script>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/reference.js"></script>
  </body>
</html>
`;
