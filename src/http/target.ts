// Parses and checks a request's Host and target. Both are checked as text; no URL is ever built from a Host.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Replaces the Host behind the listener, so that no handler depends on the client's name for this server. */
export const AUTHORITY = 'localhost';

/** `hostname` is null for HTTP/1.0 without a Host; `url` is the target in origin-form, `path` is `url` without its query. */
export type Target = { hostname: string | null; url: string; path: string };

/** RFC 9112, section 3.2.2: the form sent to proxies, which every server must accept. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)([^#]*)$/i;

/** The target of a request; null if it or the Host is malformed. */
export function readTarget({ url = '', headersDistinct }: IncomingMessage): Target | null {
  const [host, ...more] = headersDistinct.host ?? [];
  const named = host === undefined ? null : hostnameOf(host);
  if (more.length > 0 || (host !== undefined && named === null)) return null;
  // Asterisk-form (section 3.2.4) names no resource; treat it like the root.
  if (url === '*') return { hostname: named, url: '/', path: '/' };
  if (/^\/[^#]*$/.test(url)) return { hostname: named, ...splitTarget(url) };
  const [, authority, rest] = ABSOLUTE_FORM.exec(url) ?? [];
  const hostname = authority === undefined ? null : hostnameOf(authority);
  if (hostname === null) return null;
  // RFC 9112, section 3.2.2: the target's authority counts, whatever the Host says.
  return { hostname, ...splitTarget(rest!.startsWith('/') ? rest! : `/${rest}`) };
}

const splitTarget = (url: string) => ({ url, path: pathOf(url) });

/** The path before the query, not decoded. */
export const pathOf = (url: string): string => url.split('?', 1)[0]!;

/** A percent-encoded unreserved character (RFC 3986, section 2.3), which a proxy may decode. */
const ENCODED_UNRESERVED = /%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)/i;

/**
 * Whether every parser reads the same path: no dot segments, backslashes or needless escapes. Otherwise the router and a
 * proxy that guards `/metrics` might see different paths.
 */
export function isUnambiguous(path: string): boolean {
  return new URL(`http://${AUTHORITY}${path}`).pathname === path && !ENCODED_UNRESERVED.test(path);
}

const HOST = /^(?:\[([\da-f:.]+)\]|([\w-]+(?:\.[\w-]+)*\.?))(?::(\d{0,5}))?$/i;
/** Maximum length of a DNS name. */
const MAX_NAME = 253;
const MAX_PORT = 65_535;
/** A last label that makes a name an IPv4 address (URL standard, "ends in a number"). */
const NUMERIC = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i;

/** The name or address of a Host header in lower case, without its port; null for anything but a host and a port. */
function hostnameOf(host: string): string | null {
  const [, ipv6, name, port = ''] = HOST.exec(host) ?? [];
  if (Number(port) > MAX_PORT) return null;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? ipv6.toLowerCase() : null;
  if (name === undefined || name.length > MAX_NAME) return null;
  return NUMERIC.test(name) && !isIPv4(name) ? null : name.toLowerCase();
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a hostname is localhost (RFC 6761, section 6.3) or a loopback address: no other site can have such a name. */
export function isLoopback(hostname: string): boolean {
  if (isIPv4(hostname)) return LOOPBACK.check(hostname);
  if (isIPv6(hostname)) return LOOPBACK.check(hostname, 'ipv6');
  return /^(?:.+\.)?localhost\.?$/.test(hostname);
}
