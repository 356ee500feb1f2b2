/** Kubernetes manifests: an Indexed Job for many runs, a Deployment for the service. */
import { stringify } from "yaml";
import { ConfigError } from "../../base/errors.js";
import type { Resources } from "./plan.js";

/** Container that all manifests have. */
interface Container extends Resources {
  readonly name: string;
  readonly image: string;
  /** Arguments of `liqe`, which is the image's entry point. */
  readonly args: readonly string[];
  /** Persistent volume claim with configs, images and runs, mounted at `/work`; none where undefined. */
  readonly claim: string | undefined;
}

interface ContainerJob extends Container {
  readonly jobs: number;
  /** Exit code after which a pod is tried again without being counted. */
  readonly again: number;
  /** Exit codes after which another try would end the same. */
  readonly hopeless: readonly number[];
}

const TRIES = 6;
/** Port of the service, in its pods and before them. */
const PORT = 8080;
const WORK = "/work";
/** Seconds from SIGTERM to SIGKILL: a step and a checkpoint, or uploads that are still arriving. */
const GRACE_SECONDS = { train: 300, serve: 60 };
/** User `node` of the image. */
const USER = 1000;

/**
 * Indexed Job: one pod a job, its number in JOB_COMPLETION_INDEX. A pod that ends with `again` or is evicted is tried again
 * without being counted; one that ends with a code of `hopeless` fails its number alone.
 */
export function jobManifest({ jobs, again, hopeless, ...container }: ContainerJob): string {
  const name = kubernetesName(container.name);
  return manifests({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels: { app: name } },
    spec: {
      completionMode: "Indexed",
      completions: jobs,
      parallelism: Math.min(jobs, container.atOnce ?? jobs),
      backoffLimitPerIndex: TRIES,
      maxFailedIndexes: jobs,
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onExitCodes: { containerName: "liqe", operator: "In", values: [again] } },
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          { action: "FailIndex", onExitCodes: { containerName: "liqe", operator: "In", values: [...hopeless] } },
        ],
      },
      template: { metadata: { labels: { app: name } }, spec: podOf(container, { restartPolicy: "Never" }) },
    },
  });
}

/** Deployment of `liqe serve`, a Service before it and a HorizontalPodAutoscaler by `liqe_queue_length`. */
export function serveManifest({ replicas, args, ...container }: Container & { readonly replicas: number }): string {
  const name = kubernetesName(container.name);
  const labels = { app: name };
  const metadata = { name, labels };
  const token = { name: "LIQE_TOKEN", valueFrom: { secretKeyRef: { name: `${name}-token`, key: "token" } } };
  const health = { httpGet: { path: "/health", port: "http" } };
  const more = {
    ports: [{ name: "http", containerPort: PORT }],
    env: [token],
    startupProbe: { ...health, periodSeconds: 5, failureThreshold: 60 },
    readinessProbe: { ...health, periodSeconds: 5 },
    livenessProbe: { ...health, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
    lifecycle: { preStop: { exec: { command: ["sleep", "5"] } } }, // until no client is sent here any more
  };
  const listening = [...args, "--host", "0.0.0.0", "--port", String(PORT)];
  const spec = podOf({ ...container, args: listening }, { restartPolicy: "Always" }, more);
  return manifests(
    {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata },
      spec: { selector: labels, ports: [{ name: "http", port: PORT, targetPort: "http" }] },
    },
    autoscaler(name, replicas),
  );
}

/** Images in work of one pod from which another one is started: a few batches. */
const QUEUE_OF_A_POD = 16;
const MOST_REPLICAS = 10;

function autoscaler(name: string, replicas: number): object {
  const target = { type: "AverageValue", averageValue: String(QUEUE_OF_A_POD) };
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, labels: { app: name } },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas: replicas,
      maxReplicas: Math.max(replicas, MOST_REPLICAS),
      metrics: [{ type: "Pods", pods: { metric: { name: "liqe_queue_length" }, target } }],
    },
  };
}

function podOf(
  { image, args, claim, cpus, memory, gpus }: Container,
  { restartPolicy }: { readonly restartPolicy: "Never" | "Always" },
  more: object = {},
): object {
  const amounts = {
    cpu: String(cpus),
    memory: `${memory}Mi`,
    ...(gpus === 0 ? {} : { "nvidia.com/gpu": String(gpus) }),
  };
  const container = {
    name: "liqe",
    image,
    args,
    workingDir: WORK,
    ...more,
    resources: { requests: amounts, limits: amounts },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    ...(claim === undefined ? {} : { volumeMounts: [{ name: "work", mountPath: WORK }] }),
  };
  return {
    restartPolicy,
    terminationGracePeriodSeconds: GRACE_SECONDS[restartPolicy === "Never" ? "train" : "serve"],
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: USER, fsGroup: USER, seccompProfile: { type: "RuntimeDefault" } },
    containers: [container],
    ...(claim === undefined ? {} : { volumes: [{ name: "work", persistentVolumeClaim: { claimName: claim } }] }),
  };
}

/** Name as RFC 1123 has labels: lower case, digits and dashes, 50 characters to leave room for what is added. */
function kubernetesName(name: string): string {
  const label = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").slice(0, 50).replaceAll(/^-+|-+$/g, ""); // prettier-ignore
  if (label === "") throw new ConfigError(`run: ${name}: has no letter or digit that a name in Kubernetes could have`);
  return label;
}

function manifests(...objects: readonly object[]): string {
  const documents = objects.map((one) => stringify(one, { aliasDuplicateObjects: false }));
  return documents.join("---\n");
}
