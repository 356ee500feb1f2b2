import { Agent, Dispatcher, fetch, ProxyAgent, type Response } from "undici";
import { ConfigError } from "./errors.js";

/** Waiting times after which a request fails: for its connection, its headers, and each piece of its body. */
const TIMEOUTS_MS = { headersTimeout: 60_000, bodyTimeout: 60_000, connect: { timeout: 30_000 } };

/** Body of a request, in JSON, and what goes with it. */
interface JsonRequest {
  readonly json: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives the request up. */
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * HTTP client that follows the environment's proxy settings, which Node 20's own `fetch` ignores: for each address anew,
 * so that a redirect to another host goes that host's own way.
 */
export class HttpClient {
  readonly #dispatchers = new Map<string | null, Dispatcher>();
  readonly #router: Dispatcher;

  /** Keeps its connections until `close()`. */
  constructor(private readonly environment: NodeJS.ProcessEnv = process.env) {
    this.#router = new Router((address) => this.#dispatcherFor(this.proxyFor(address)));
  }

  /**
   * Requests an address; a name and password in it, as private mirrors have, are sent as basic authentication.
   * @returns the answer, whatever its status
   * @throws {TypeError} where no answer comes
   * @throws {ConfigError} where the environment names a proxy of another kind than HTTP
   */
  async get(address: URL, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<Response> {
    return this.#fetch(address, { headers, signal });
  }

  /** Sends JSON to an address; answers and errors as of `get`. */
  async post(address: URL, { json, headers = {}, signal }: JsonRequest): Promise<Response> {
    return this.#fetch(address, { headers: { ...headers, "Content-Type": "application/json" }, signal, json });
  }

  #fetch(address: URL, { headers = {}, signal = null, json }: Partial<JsonRequest>): Promise<Response> {
    this.proxyFor(address); // throws here: fetch would hide the reason
    const { username, password } = address;
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    const authorization: Record<string, string> = username === "" ? {} : { Authorization: `Basic ${login}` };
    const body = json === undefined ? {} : { method: "POST", body: json };
    const options = { dispatcher: this.#router, headers: { ...authorization, ...headers }, signal, ...body };
    return fetch(withoutPassword(address), options);
  }

  /** Address of the proxy to an address, or null. */
  proxyFor(address: URL): string | null {
    return proxyFor(address, this.environment);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  #dispatcherFor(proxy: string | null): Dispatcher {
    const known = this.#dispatchers.get(proxy);
    if (known !== undefined) return known;
    // As curl: https:// through a tunnel, http:// by asking the proxy for the address, since many tunnel to port 443 alone
    const made =
      proxy === null ? new Agent(TIMEOUTS_MS) : new ProxyAgent({ ...TIMEOUTS_MS, uri: proxy, proxyTunnel: false });
    this.#dispatchers.set(proxy, made);
    return made;
  }
}

/** Dispatcher that hands each request, redirected ones too, to the one for its address. */
class Router extends Dispatcher {
  constructor(private readonly route: (address: URL) => Dispatcher) {
    super();
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandlers): boolean {
    return this.route(new URL(options.origin ?? "")).dispatch(options, handler);
  }
}

/** Address as messages may show it. */
export function withoutPassword(address: URL): string {
  const bare = new URL(address);
  [bare.username, bare.password] = ["", ""];
  return bare.href;
}

/**
 * Proxy that the environment sets for an address, by curl's conventions: `https_proxy` or `http_proxy` by the address's
 * own scheme, `all_proxy` for both, `no_proxy` a list of hosts and domains, each with a port or without, that need none;
 * each in lower case, else in upper case.
 * @returns the proxy's address, or null
 * @throws {ConfigError} where the setting is no address of an HTTP proxy
 */
export function proxyFor(address: URL, environment: NodeJS.ProcessEnv): string | null {
  const setting = (name: string) => environment[name] ?? environment[name.toUpperCase()] ?? "";
  const own = `${address.protocol.slice(0, -1)}_proxy`;
  const name = setting(own) === "" ? "all_proxy" : own;
  const proxy = setting(name);
  if (proxy === "" || isExempt(address, setting("no_proxy"))) return null;
  const full = proxy.includes("://") ? proxy : `http://${proxy}`;
  if (URL.canParse(full) && /^https?:$/.test(new URL(full).protocol)) return full;
  throw new ConfigError(
    `${name} (or ${name.toUpperCase()}) of the environment is ${quotedProxy(full)}; it must be http://HOST:PORT or ` +
      "https://HOST:PORT, or be taken away",
  );
}

/** Setting as messages may show it. */
function quotedProxy(proxy: string): string {
  return `"${URL.canParse(proxy) ? withoutPassword(new URL(proxy)) : proxy.replace(/\/\/.*@/, "//")}"`;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

function isExempt({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const bare = (host: string) => host.toLowerCase().replace(/^\[(.*)\]$/, "$1"); // of IPv6
  const host = bare(hostname);
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    // A host, a host with a port, [IPv6] with a port or without, or bare IPv6
    const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry);
    const [, name = entry, entryPort] = parts ?? [];
    const domain = bare(name).replace(/^\*?\./, "");
    if (domain === "" || (host !== domain && !host.endsWith(`.${domain}`))) return false;
    return entryPort === undefined || entryPort === (port || DEFAULT_PORTS[protocol]);
  });
}
