// What a request is addressed to: its Host and its target. They are judged as texts; no URL is ever built from a Host.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Stands for the Host in the URLs that the rest of the server sees: nothing behind the listener depends on a name. */
export const AUTHORITY = 'localhost';

/** `hostname` is null where HTTP/1.0 names none; `url` is the target in origin-form, `path` without its query. */
export type Target = { hostname: string | null; url: string; path: string };

/** RFC 9112, section 3.2.2: what a proxy is sent, and every server must understand. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)([^#]*)$/i;

/** The target of a request; null if it or the Host is malformed. */
export function readTarget({ url = '', headersDistinct }: IncomingMessage): Target | null {
  const [host, ...more] = headersDistinct.host ?? [];
  const named = host === undefined ? null : hostnameOf(host);
  if (more.length > 0 || (host !== undefined && named === null)) return null;
  // Asterisk-form (section 3.2.4) asks about no resource; the root has as little to tell.
  if (url === '*') return { hostname: named, url: '/', path: '/' };
  if (/^\/[^#]*$/.test(url)) return { hostname: named, ...splitTarget(url) };
  const [, authority, rest] = ABSOLUTE_FORM.exec(url) ?? [];
  const hostname = authority === undefined ? null : hostnameOf(authority);
  if (hostname === null) return null;
  // RFC 9112, section 3.2.2: the target's authority counts, whatever the Host says.
  return { hostname, ...splitTarget(rest!.startsWith('/') ? rest! : `/${rest}`) };
}

const splitTarget = (url: string) => ({ url, path: pathOf(url) });

/** What stands before the query, as it was written. */
export const pathOf = (url: string): string => url.split('?', 1)[0]!;

/** A percent-encoded unreserved character (RFC 3986, section 2.3), which another reader of the path may decode. */
const ENCODED_UNRESERVED = /%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)/i;

/**
 * Whether everybody reads the same path: no dot segments, backslashes or needless escapes. Otherwise a proxy in front,
 * which guards `/metrics`, and the router might see different paths.
 */
export function isUnambiguous(path: string): boolean {
  return new URL(`http://${AUTHORITY}${path}`).pathname === path && !ENCODED_UNRESERVED.test(path);
}

const HOST = /^(?:\[([\da-f:.]+)\]|([\w-]+(?:\.[\w-]+)*\.?))(?::(\d{0,5}))?$/i;
/** Longest name of DNS. */
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

/** Whether a hostname stands for this machine: no other site can have its own name resolve so (RFC 6761, section 6.3). */
export function isLoopback(hostname: string): boolean {
  if (isIPv4(hostname)) return LOOPBACK.check(hostname);
  if (isIPv6(hostname)) return LOOPBACK.check(hostname, 'ipv6');
  return /^(?:.+\.)?localhost\.?$/.test(hostname);
}
