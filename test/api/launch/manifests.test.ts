import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { Job } from "kubernetes-models/batch/v1/Job";
import { Service } from "kubernetes-models/v1/Service";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { jobManifest, serveManifest } from "../../../src/api/launch/kubernetes.js";
import { ConfigError } from "../../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../../src/base/packageInfo.js";

const codes = { again: 75, hopeless: [2, 3, 4, 5, 6] };
const container = {
  name: "kadid_10k.Run",
  image: "registry.example/liqe:1",
  args: ["launch", "--on", "local", "--index", "env"],
  claim: "data",
  cpus: 8,
  memory: 32_000,
  gpus: 1,
};

/** Published schemas by kind; each refuses what has another type than it says. */
const SCHEMAS: Readonly<Record<string, (object: never) => { validate(): void }>> = {
  Job: (object) => new Job(object),
  Deployment: (object) => new Deployment(object),
  Service: (object) => new Service(object),
  HorizontalPodAutoscaler: (object) => new HorizontalPodAutoscaler(object),
};

type Tree = Record<string, unknown>;

function objectsOf(text: string): Tree[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Tree); // our own manifests
}

function validate(object: Tree): void {
  const kind = object["kind"] as string; // of our own manifests
  SCHEMAS[kind]?.(object as never).validate();
}

/** Paths of all keys of an object, those of objects in it too. */
function pathsIn(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsIn(inner, [...path, key])]);
}

/** Copy with a value of a type that no field has there. */
function spoilt(object: Tree, path: readonly string[]): Tree {
  const copy = structuredClone(object);
  const parent = path.slice(0, -1).reduce<Tree>((inner, key) => inner[key] as Tree, copy);
  const last = path.at(-1) ?? "";
  parent[last] = Array.isArray(parent[last]) ? 7 : [[]];
  return copy;
}

const manifests = [
  ["an Indexed Job", jobManifest({ ...container, ...codes, jobs: 20, atOnce: 4 })],
  ["an Indexed Job without volume and GPU", jobManifest({ ...container, ...codes, jobs: 2, atOnce: undefined, claim: undefined, gpus: 0 })], // prettier-ignore
  ["a Deployment with Service and autoscaler", serveManifest({ ...container, replicas: 2 })],
] as const;

describe("Kubernetes manifests", () => {
  it.each(manifests)("are what the published schemas ask: %s", (_, text) => {
    const objects = objectsOf(text);
    expect(objects.map(({ kind }) => SCHEMAS[kind as string])).not.toContain(undefined);
    for (const object of objects) {
      expect(() => { validate(object); }).not.toThrow(); // prettier-ignore
    }
  });

  it.each(manifests)("have no key that the schemas do not know: %s", (_, text) => {
    for (const object of objectsOf(text)) {
      const unknown = pathsIn(object).filter((path) => {
        if (path.length === 1) return false; // the kind decides which schema it is
        try {
          validate(spoilt(object, path));
          return true;
        } catch {
          return false;
        }
      });
      expect(unknown.map((path) => path.join("."))).toEqual([]);
    }
  });

  it("give each job its index, try a lost peer again without counting, and fail what is hopeless alone", () => {
    const [job] = objectsOf(jobManifest({ ...container, ...codes, jobs: 20, atOnce: 4 }));
    expect(job).toMatchObject({
      metadata: { name: "kadid-10k-run" },
      spec: { completionMode: "Indexed", completions: 20, parallelism: 4, backoffLimitPerIndex: 6 },
    });
    const spec = (job?.["spec"] as { podFailurePolicy: { rules: unknown[] } }).podFailurePolicy; // as made above
    expect(spec.rules).toEqual([
      { action: "Ignore", onExitCodes: { containerName: "liqe", operator: "In", values: [75] } },
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      { action: "FailIndex", onExitCodes: { containerName: "liqe", operator: "In", values: [2, 3, 4, 5, 6] } },
    ]);
    expect(JSON.stringify(job)).toContain('"limits":{"cpu":"8","memory":"32000Mi","nvidia.com/gpu":"1"}');
  });

  it("probe the service, give it its token from a secret, and scale by the queue", () => {
    const [deployment, service, scaler] = objectsOf(serveManifest({ ...container, replicas: 2 }));
    const text = JSON.stringify(deployment);
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) expect(text).toContain(`"${probe}":{"httpGet":{"path":"/health"`); // prettier-ignore
    expect(text).toContain('"LIQE_TOKEN","valueFrom":{"secretKeyRef":{"name":"kadid-10k-run-token","key":"token"}}');
    expect(service).toMatchObject({ spec: { selector: { app: "kadid-10k-run" }, ports: [{ port: 8080 }] } });
    expect(scaler).toMatchObject({ spec: { minReplicas: 2, scaleTargetRef: { name: "kadid-10k-run" } } });
    expect(JSON.stringify(scaler)).toContain('"liqe_queue_length"');
  });

  it("run as a user without rights, who may write to the claim and is the image's", () => {
    const image = readFileSync(join(PACKAGE_ROOT, "Dockerfile"), "utf8");
    expect(image.match(/^USER .*$/gm)).toEqual(["USER node"]); // whose number is 1000 in Node's images
    for (const [, text] of manifests) {
      const [object] = objectsOf(text) as { spec: { template: { spec: Tree & { containers: Tree[] } } } }[]; // as made above
      const pod = object?.spec.template.spec;
      expect(pod?.["automountServiceAccountToken"]).toBe(false);
      const user = { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } };
      expect(pod?.["securityContext"]).toEqual(user);
      const rights = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
      expect(pod?.containers.map(({ securityContext }) => securityContext)).toEqual([rights]);
    }
  });

  it("have the service listen where its probes and its Service look for it", () => {
    const [deployment] = objectsOf(serveManifest({ ...container, args: ["serve"], replicas: 2 }));
    expect(deployment).toMatchObject({
      spec: {
        template: {
          spec: {
            containers: [
              {
                args: ["serve", "--host", "0.0.0.0", "--port", "8080"],
                ports: [{ name: "http", containerPort: 8080 }],
              },
            ],
          },
        },
      },
    });
  });

  it("refuse a name without a letter or digit", () => {
    expect(() => jobManifest({ ...container, ...codes, name: "__", jobs: 1 })).toThrow(ConfigError);
  });
});
