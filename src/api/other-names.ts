// pure
/**
 * Names that people write, from other tools and from Kubernetes, for a field that is called differently here: the field,
 * or the fields, of which the first that a spec has is meant. A name that is merely misspelt is found by its letters.
 */
export const otherNames: Readonly<Record<string, readonly string[]>> = {
  image: ["imagePath"],
  tag: ["imagePath"],
  digest: ["imagePath"],
  sha: ["buildSHA"],
  commit: ["buildSHA"],
  commitSha: ["buildSHA"],
  revision: ["buildSHA"],
  build: ["buildId"],
  env: ["runtimeEnvironment"],
  environment: ["runtimeEnvironment"],
  envVars: ["runtimeEnvironment"],
  variables: ["runtimeEnvironment"],
  envFrom: ["runtimeEnvironmentFrom"],
  secret: ["tokenSecretRef", "secretRef", "secretKeyRef"],
  secretName: ["tokenSecretRef.name", "secretRef.name", "secretKeyRef.name"],
  token: ["tokenSecretRef"],
  team: ["teamId"],
  job: ["jobId"],
  command: ["docker.customCommand"],
  args: ["docker.customCommand"],
  entrypoint: ["docker.customEntrypoint"],
  retries: ["backoffLimit"],
  timeout: ["timeoutSeconds", "activeDeadlineSeconds"],
  deadline: ["activeDeadlineSeconds"],
  ttl: ["ttlSecondsAfterFinished"],
  paused: ["suspend"],
};
