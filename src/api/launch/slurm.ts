import type { Resources } from "./plan.js";

interface SlurmJob extends Resources {
  /** Most hours and minutes of one job, as Slurm writes them: 24:00:00. */
  readonly time: string;
  readonly name: string;
  readonly jobs: number;
  /** Folder to run in. */
  readonly folder: string;
  /** Exit code of a job that is queued again. */
  readonly again: number;
  /** Words of the command that runs the job whose number is in the environment. */
  readonly command: readonly string[];
}

/** Times that a job is queued again, by a lost peer or its time limit. */
const MOST_RESTARTS = 100;

/**
 * Slurm script of a job array. A job is told two minutes before its time is over: it saves, and is queued again to go on;
 * so is one that ends with `again`. `scancel` ends it for good.
 */
export function slurmScript({ name, jobs, folder, command, again, atOnce, ...resources }: SlurmJob): string {
  const { cpus, memory, gpus, time } = resources;
  const options = [
    `job-name=${name}`,
    `array=0-${jobs - 1}${atOnce === undefined ? "" : `%${atOnce}`}`,
    `output=${name}-%A_%a.log`,
    "open-mode=append",
    `cpus-per-task=${cpus}`,
    `mem=${memory}M`,
    `time=${time}`,
    ...(gpus === 0 ? [] : [`gres=gpu:${gpus}`]),
    "requeue",
    "signal=B:USR1@120",
  ];
  return `#!/bin/bash
${options.map((option) => `#SBATCH --${option}`).join("\n")}

cd ${shellWord(folder)} || exit
again=no
trap 'again=yes; kill -TERM $!' USR1
trap 'kill -TERM $!' TERM
${command.map(shellWord).join(" ")} &
job=$!
wait "$job"
code=$?
while kill -0 "$job" 2>/dev/null; do # a signal ended the wait, not the job
  wait "$job"
  code=$?
done
if [ "$code" -eq ${again} ] || { [ "$again" = yes ] && [ "$code" -ne 0 ]; }; then
  if [ "\${SLURM_RESTART_COUNT:-0}" -lt ${MOST_RESTARTS} ]; then
    scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
  fi
fi
exit "$code"
`;
}

/** Word of a shell's command line. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
