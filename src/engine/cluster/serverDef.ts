import protobuf from "protobufjs/light.js";

const one = (type: string, id: number) => ({ type, id });
const many = (type: string, id: number) => ({ rule: "repeated", type, id });

/** TensorFlow's messages that name the processes of a cluster (tensorflow/core/protobuf), as far as they are written here. */
const root = protobuf.Root.fromJSON({
  nested: {
    Task: { fields: { key: one("int32", 1), value: one("string", 2) } }, // of a map
    JobDef: { fields: { name: one("string", 1), tasks: many("Task", 2) } },
    ClusterDef: { fields: { job: many("JobDef", 1) } },
    Experimental: { fields: { collectiveGroupLeader: one("string", 1) } },
    ConfigProto: { fields: { experimental: one("Experimental", 16) } },
    ServerDef: {
      fields: {
        cluster: one("ClusterDef", 1),
        jobName: one("string", 2),
        taskIndex: one("int32", 3),
        defaultSessionConfig: one("ConfigProto", 4),
        protocol: one("string", 5),
      },
    },
  },
});

const JOB = "worker";

/**
 * Serialized ServerDef of one process of a cluster.
 * @param addresses  "host:port" of every process, by rank; the first one leads the group
 */
export function serverDef(addresses: readonly string[], rank: number): Uint8Array {
  const type = root.lookupType("ServerDef");
  const message = type.create({
    cluster: { job: [{ name: JOB, tasks: addresses.map((value, key) => ({ key, value })) }] },
    jobName: JOB,
    taskIndex: rank,
    defaultSessionConfig: { experimental: { collectiveGroupLeader: `/job:${JOB}/replica:0/task:0` } },
    protocol: "grpc",
  });
  return type.encode(message).finish();
}
