/** Networks of two processes on one machine: network namespaces with a wire between them (Linux, as root, iproute2). */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout } from "node:timers";

const NAMES = ["liqe-bench-0", "liqe-bench-1"];
const PORT = 8470;
/** Of the slow wire, in each direction; the distant one's half of a round trip. */
const ONE_GIGABIT = "1gbit";
const HALF_TRIP_MS = 5;

/**
 * `veth`: two namespaces and a wire; `1gbit`: it passes 1 Gbit/s each way (tc tbf); `10ms`: bytes wait for 5 ms each way, in a
 * proxy between two wires, which takes its share of the processors.
 * @returns addresses of the ranks, words to begin a rank's command with, bytes that it has sent, and the end
 */
export function openLink(kind) {
  closeNamespaces();
  for (const name of NAMES) run("ip", "netns", "add", name);
  const servers = kind === "10ms" ? distant() : near(kind);
  for (const name of NAMES) run("ip", "-n", name, "link", "set", "lo", "up");
  return {
    addresses: NAMES.map((_, rank) => (kind === "10ms" ? `rank${rank}:${PORT}` : `10.77.0.${rank + 1}:${PORT}`)),
    prefix: (rank) => ["ip", "netns", "exec", NAMES[rank]],
    sentBytes: (rank) => sentBytes(NAMES[rank]),
    close: () => {
      for (const server of servers) server.close();
      closeNamespaces();
    },
  };
}

/** One wire from namespace to namespace. */
function near(kind) {
  run("ip", "link", "add", "wire", "netns", NAMES[0], "type", "veth", "peer", "name", "wire", "netns", NAMES[1]);
  NAMES.forEach((name, rank) => {
    run("ip", "-n", name, "address", "add", `10.77.0.${rank + 1}/24`, "dev", "wire");
    run("ip", "-n", name, "link", "set", "wire", "up");
    if (kind !== "1gbit") return;
    const shape = ["rate", ONE_GIGABIT, "burst", "128k", "latency", "50ms"];
    run("tc", "-n", name, "qdisc", "add", "dev", "wire", "root", "tbf", ...shape);
  });
  return [];
}

/** A wire from each namespace to this one, and proxies between them: each rank knows the other by its proxy's address. */
function distant() {
  return NAMES.map((name, rank) => {
    const [here, there, other] = [`10.77.${rank}.254`, `10.77.${rank}.1`, `10.77.${1 - rank}.1`];
    run("ip", "link", "add", `bench${rank}`, "type", "veth", "peer", "name", "wire", "netns", name);
    run("ip", "address", "add", `${here}/24`, "dev", `bench${rank}`);
    run("ip", "link", "set", `bench${rank}`, "up");
    run("ip", "-n", name, "address", "add", `${there}/24`, "dev", "wire");
    run("ip", "-n", name, "link", "set", "wire", "up");
    mkdirSync(`/etc/netns/${name}`, { recursive: true });
    writeFileSync(`/etc/netns/${name}/hosts`, `127.0.0.1 localhost\n${there} rank${rank}\n${here} rank${1 - rank}\n`);
    return createServer((socket) => delay(socket, connect(PORT, other))).listen(PORT, here);
  });
}

/** Passes bytes on between two sockets, each chunk a while after it came. */
function delay(one, other) {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    from.setNoDelay(true);
    from.on("data", (chunk) => setTimeout(() => to.write(chunk), HALF_TRIP_MS));
    from.on("end", () => setTimeout(() => to.end(), HALF_TRIP_MS));
    from.on("error", () => to.destroy());
    from.on("close", () => setTimeout(() => to.destroy(), HALF_TRIP_MS));
  }
}

/** Bytes that left a namespace by its wire since it was made. */
function sentBytes(name) {
  const text = execFileSync("ip", ["netns", "exec", name, "cat", "/proc/net/dev"], { encoding: "utf8" });
  const fields = text.split("\n").find((line) => line.trim().startsWith("wire:"))?.trim().split(/\s+/) ?? []; // prettier-ignore
  return Number(fields[9]); // the first eight behind the name are of what was received
}

function closeNamespaces() {
  const there = execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const name of NAMES) {
    if (there.split(/\s+/).includes(name)) run("ip", "netns", "delete", name);
    rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
  }
}

function run(program, ...args) {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
}
