/**
 * The proxy that the environment sets for an address, by the customs of curl: `https_proxy` or `http_proxy` by the
 * address's own scheme, `all_proxy` for both, `no_proxy` a list of hosts and domains that need none; lower case first.
 *
 * @returns the proxy's address, or null
 */
export function proxyFor(address: URL, environment: Readonly<Record<string, string | undefined>>): string | null {
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
