import { Agent, type Dispatcher, fetch, ProxyAgent, type Response } from "undici";

/** Waiting times after which a request fails: for its connection, its headers, and each piece of its body. */
const TIMEOUTS_MS = { headersTimeout: 60_000, bodyTimeout: 60_000, connect: { timeout: 30_000 } };

/** HTTP client that follows the environment's proxy settings, which Node 20's own `fetch` ignores. */
export class HttpClient {
  readonly #dispatchers = new Map<string | null, Dispatcher>();

  /** Keeps its connections until `close()`. */
  constructor(private readonly environment: NodeJS.ProcessEnv = process.env) {}

  /**
   * Requests an address; a name and password in it, as private mirrors have, are sent as basic authentication.
   * @returns the answer, whatever its status
   * @throws {TypeError} where no answer comes
   */
  async get(address: URL, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const { username, password } = address;
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    const authorization: Record<string, string> = username === "" ? {} : { Authorization: `Basic ${login}` };
    const dispatcher = this.#dispatcherFor(this.proxyFor(address));
    return fetch(withoutPassword(address), { dispatcher, headers: { ...headers, ...authorization } });
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
    const made = proxy === null ? new Agent(TIMEOUTS_MS) : new ProxyAgent({ ...TIMEOUTS_MS, uri: proxy });
    this.#dispatchers.set(proxy, made);
    return made;
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
 * own scheme, `all_proxy` for both, `no_proxy` a list of hosts and domains that need none; lower case first.
 * @returns the proxy's address, or null
 */
export function proxyFor(address: URL, environment: NodeJS.ProcessEnv): string | null {
  const setting = (name: string) => environment[name] ?? environment[name.toUpperCase()] ?? "";
  const proxy = setting(`${address.protocol.slice(0, -1)}_proxy`) || setting("all_proxy");
  if (proxy === "" || isExempt(address.hostname, setting("no_proxy"))) return null;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function isExempt(host: string, noProxy: string): boolean {
  const domains = noProxy.split(/[\s,]+/).filter((domain) => domain !== "");
  return domains.some((domain) => {
    const plain = domain.replace(/^\*?\./, "").replace(/:\d+$/, "");
    return domain === "*" || host === plain || host.endsWith(`.${plain}`);
  });
}
