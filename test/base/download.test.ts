import { describe, expect, it } from "vitest";
import { proxyFor } from "../../src/base/download.js";

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

  it.each(["ample.org", "org.example", "localhost"])("does not for no_proxy=%s", (exempt) => {
    expect(at(FILE, { https_proxy: "http://p:1", no_proxy: exempt })).toBe("http://p:1");
  });
});
