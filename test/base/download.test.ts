import { describe, expect, it, onTestFinished } from "vitest";
import { HttpClient, proxyFor } from "../../src/base/download.js";
import { ConfigError } from "../../src/base/errors.js";
import { httpServer, proxyServer } from "../support/proxyServer.js";

const at = (address: string, environment: Readonly<Record<string, string>>) => proxyFor(new URL(address), environment);
const FILE = "https://files.example.org/a.pt";

describe("proxyFor", () => {
  it("takes the setting of the address's own scheme, else the one for all", () => {
    expect(at(FILE, { https_proxy: "http://p:1", http_proxy: "http://q:2" })).toBe("http://p:1");
    expect(at("http://x.org/", { https_proxy: "http://p:1", http_proxy: "http://q:2" })).toBe("http://q:2");
    expect(at(FILE, { all_proxy: "http://r:3" })).toBe("http://r:3");
  });

  it("takes upper case, and prefers lower", () => {
    expect(at(FILE, { HTTPS_PROXY: "http://p:1" })).toBe("http://p:1");
    expect(at(FILE, { HTTPS_PROXY: "http://p:1", https_proxy: "http://q:2" })).toBe("http://q:2");
  });

  it("takes a bare host and port for http", () => {
    expect(at(FILE, { https_proxy: "p:8080" })).toBe("http://p:8080");
  });

  it("gives null where nothing is set, or an empty setting", () => {
    expect(at(FILE, {})).toBeNull();
    expect(at(FILE, { https_proxy: "" })).toBeNull();
  });

  it.each(["*", "example.org", ".example.org", "*.example.org", "a.b, files.example.org:443"])(
    "leaves the proxy out for no_proxy=%s",
    (exempt) => {
      expect(at(FILE, { https_proxy: "http://p:1", no_proxy: exempt })).toBeNull();
    },
  );

  it.each([
    ["https://files.example.org:8443/a", "files.example.org:8443", true],
    ["https://files.example.org:8443/a", "files.example.org:443", false],
    ["https://files.example.org:8443/a", "FILES.example.org", true],
    ["http://[::1]:8080/", "::1", true],
    ["http://[::1]:8080/", "[::1]:8080", true],
    ["http://[::1]:8080/", "[::1]:80", false],
    ["http://[::1]:8080/", "::2", false],
  ])("exempts of %s by no_proxy=%s: %s", (address, exempt, isExempt) => {
    const proxy = at(address, { all_proxy: "http://p:1", no_proxy: exempt });
    expect(proxy).toBe(isExempt ? null : "http://p:1");
  });

  it.each(["socks5://p:1", "http://", "http://me:secret@p:x"])(
    "refuses %s in one line, without a password",
    (proxy) => {
      const call = () => at(FILE, { HTTPS_PROXY: proxy });
      expect(call).toThrow(ConfigError);
      expect(call).toThrow(
        /^https_proxy \(or HTTPS_PROXY\) of the environment is "[^\n]*; it must be http:\/\/HOST:PORT/,
      );
      expect(call).not.toThrow("secret");
    },
  );

  it.each(["ample.org", "org.example", "localhost"])("does not for no_proxy=%s", (exempt) => {
    expect(at(FILE, { https_proxy: "http://p:1", no_proxy: exempt })).toBe("http://p:1");
  });
});

describe("HttpClient", () => {
  /** What `GET address` gives under these settings. */
  async function get(address: string, environment: Readonly<Record<string, string>>): Promise<string> {
    const client = new HttpClient(environment);
    onTestFinished(() => client.close());
    return (await client.get(new URL(address))).text();
  }

  it.each(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])(
    "asks the proxy of %s for the address",
    async (name) => {
      const { host } = await httpServer(({ headers }, response) => response.end(`for ${headers.host}`));
      const proxy = await proxyServer(host);
      expect(await get("http://mirror.invalid/a.pt", { [name]: proxy.host })).toBe("for mirror.invalid");
      expect(proxy.asked).toEqual(["http://mirror.invalid/a.pt"]);
    },
  );

  it.each(["https_proxy", "HTTPS_PROXY"])("asks the proxy of %s for a tunnel", async (name) => {
    const { host } = await httpServer((_request, response) => response.end());
    const proxy = await proxyServer(host);
    // The other end of the tunnel speaks no TLS, so that nothing comes of it
    await expect(get("https://mirror.invalid/a.pt", { [name]: `http://${proxy.host}` })).rejects.toThrow(
      "fetch failed",
    );
    expect(proxy.asked).toEqual(["CONNECT mirror.invalid:443"]);
  });

  it.each(["no_proxy", "NO_PROXY"])("goes past the proxy to what %s names", async (name) => {
    const { host } = await httpServer((_request, response) => response.end("direct"));
    const proxy = await proxyServer(host);
    expect(await get(`http://${host}/`, { http_proxy: proxy.host, [name]: "127.0.0.1" })).toBe("direct");
    expect(proxy.asked).toEqual([]);
  });

  it("follows a redirect on the way of the address that it leads to", async () => {
    const inside = await httpServer((_request, response) => response.end("inside"));
    const outside = await httpServer((_request, response) => {
      response.writeHead(302, { location: `http://${inside.host}/file` }).end();
    });
    const proxy = await proxyServer(outside.host);
    const environment = { http_proxy: proxy.host, no_proxy: "127.0.0.1" };
    expect(await get("http://mirror.invalid/file", environment)).toBe("inside");
    expect(proxy.asked).toEqual(["http://mirror.invalid/file"]);
  });

  it("gives the proxy the name and password of its address", async () => {
    const { host } = await httpServer((_request, response) => response.end("in"));
    const proxy = await proxyServer(host);
    expect(await get("http://mirror.invalid/", { http_proxy: `http://me:s%20t@${proxy.host}` })).toBe("in");
    expect(proxy.logins).toEqual([`Basic ${Buffer.from("me:s t").toString("base64")}`]);
  });
});
