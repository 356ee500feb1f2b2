import { connect, createServer, type Server } from "node:net";
import { ConfigError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";

const ANSWER_MS = 2000;

/** @throws {ConfigError} where another program listens at the port of this address, or none may */
export async function requireFree(address: string): Promise<void> {
  const { port } = splitAddress(address);
  await new Promise<void>((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      reject(new ConfigError(`--cluster: port ${port} of this rank cannot be used (${reasonOf(error)}); name another`));
    });
    server.listen(port, () => {
      server.close(() => {
        resolve();
      });
    });
  });
}

/** Null where something listens at an address, else why nothing does. */
export async function answers(address: string): Promise<string | null> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ANSWER_MS });
    const end = (problem: string | null) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => {
      end(null);
    });
    socket.once("timeout", () => {
      end("no answer");
    });
    socket.once("error", (error) => {
      end(reasonOf(error));
    });
  });
}

/** Parts of "host:port"; the host may be an IPv6 address in brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) };
}

/** Ports of loopback that nobody listens at now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listening));
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port); // of TCP
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listening(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      resolve(server);
    });
  });
}
