import { createServer, type IncomingMessage, request as ask, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { onTestFinished } from "vitest";

interface ProxyServer {
  /** Host and port. */
  readonly host: string;
  /** Addresses that were asked for, in order; a tunnel as `CONNECT host:port`. */
  readonly asked: string[];
  /** Values of Proxy-Authorization, in the same order. */
  readonly logins: (string | undefined)[];
}

/** Answers every request; returns the server's host and port. It is closed after the test. */
export async function httpServer(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, host: `127.0.0.1:${(server.address() as AddressInfo).port}` }; // of a listening TCP server
}

/**
 * A proxy on this machine, for one test. It reaches `upstream` (a host and port of this machine) for every address, so
 * that the names of hosts need not exist: only a client that asks the proxy gets there.
 */
export async function proxyServer(upstream: string): Promise<ProxyServer> {
  const asked: string[] = [];
  const logins: (string | undefined)[] = [];
  const [hostname = "", port = ""] = upstream.split(":");
  const note = ({ headers }: IncomingMessage, what: string) => {
    asked.push(what);
    logins.push(headers["proxy-authorization"]);
  };
  const { server, host } = await httpServer((request, response) => {
    note(request, request.url ?? "");
    const { pathname } = new URL(request.url ?? "", "http://relative.invalid");
    const { headers } = request;
    request.pipe(
      ask({ hostname, port, path: pathname, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }),
    );
  });
  server.on("connect", (request: IncomingMessage, socket) => {
    note(request, `CONNECT ${request.url}`);
    const tunnel = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(tunnel).pipe(socket);
    });
    socket.on("error", () => tunnel.destroy());
    tunnel.on("error", () => socket.destroy());
  });
  return { host, asked, logins };
}
