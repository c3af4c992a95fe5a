import { describe, expect, test } from "vitest";
import { inheritedSecrets, settingsOf, shownWords } from "../../src/kube/plugin-words.ts";

/* What plugins write goes into messages and logs: credentials in it must not, and what went wrong must. */

/** Made anew by each run of the tests from a count, so that no rule knows them. */
function canaries(count: number, alphabet: string, length: number): readonly string[] {
  let state = 20261129;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const one = () => Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)]).join("");
  return Array.from({ length: count }, () => `${one()}7${one()}`);
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const alphabets: readonly (readonly [string, string])[] = [
  ["base64", `${letters}0123456789+/`],
  ["URL-safe base64", `${letters}0123456789-_`],
  ["hexadecimal", "0123456789abcdef"],
  ["Azure", `${letters}0123456789~.-_`],
];

/** No piece of it of six characters is shown. */
function expectHidden(shown: string, secret: string): void {
  const pieces = Array.from({ length: secret.length - 5 }, (_, at) => secret.slice(at, at + 6));
  expect(
    pieces.filter((piece) => shown.includes(piece)),
    `${secret} in: ${shown}`,
  ).toEqual([]);
}

test.each(alphabets)("a long credential is hidden wherever it stands: %s", (_, alphabet) => {
  const places = [
    "%",
    "got % from the server",
    "denied: %.",
    '"%"',
    "(%)",
    "a\n%\nb",
    "<%>",
    "https://host/login/%",
    "x=%",
  ];
  for (const secret of [...canaries(50, alphabet, 10), ...canaries(50, alphabet, 20), ...canaries(50, alphabet, 30)]) {
    for (const place of places)
      expectHidden(
        shownWords(
          place.replace("%", () => secret),
          [],
        ),
        secret,
      );
  }
});

const names = [
  "password",
  "PASSWD",
  "db_pwd",
  "clientSecret",
  "access_token",
  "API-Key",
  "credential",
  "Authorization",
];
const forms = [
  (name: string, secret: string) => `${name}: ${secret}`,
  (name: string, secret: string) => `${name}=${secret}`,
  (name: string, secret: string) => `${name} = '${secret}' is wrong`,
  (name: string, secret: string) => `{"${name}":"${secret}","error":"denied"}`,
  (name: string, secret: string) => `{"${name}": "a\\"${secret}"}`,
  (name: string, secret: string) => JSON.stringify(JSON.stringify({ [name]: secret })),
  (name: string, secret: string) => `usage: login --${name} ${secret} --verbose`,
  (name: string, secret: string) => `usage: login --${name}=${secret}`,
  (name: string, secret: string) => `${name}:\n  ${secret}`,
  (name: string, secret: string) => `GET https://host/login?user=ada&${name}=${secret}&x=1`,
  (name: string, secret: string) => `\u001b[31m${name}\u001b[0m: \u001b[1m${secret}\u001b[0m`,
];
const short = ["hunter2", "Tr0ub4dor&3", "canary", "s3cr3t/with/slash", "p@ss:word", "ab,cd;ef"];

test.each(names)("what is named %s is hidden, however short it is", (name) => {
  for (const secret of short) {
    for (const form of forms) expectHidden(shownWords(form(name, secret), []), secret);
  }
});

test.each([
  ["the user and password of a URL", "dial https://robot:Sup3rS3cret99@login.corp/x: 401", "Sup3rS3cret99"],
  ["a password with a slash in a URL", "dial https://robot:Sup3r/S3cret@login.corp/x: 401", "S3cret"],
  ["a password before a host", "ssh robot:Sup3rS3cret99@login.corp", "Sup3rS3cret99"],
  ["a secret key with slashes", "SecretAccessKey wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY invalid", "K7MDENG"],
  ["a client secret", "oauth: client_secret=Qx8Q~abc.DEF-123_456~789xyz rejected", "DEF-123"],
  ["a token of GitLab", "glpat-ABCDEFGHIJKLMNOPQRST is expired", "ABCDEFG"],
  ["a short token of Vault", "vault hvs.CAESIJ1234567890abc", "CAESIJ"],
  ["a header of its own scheme", "Authorization: token abcdefghijklmnop1234", "abcdef"],
  ["a pass phrase", "password: correct horse battery", "battery"],
  ["bearer in lower case", "sent bearer abc.def", "abc.def"],
  ["basic in lower case", "sent basic dXNlcjpw", "dXNlcjpw"],
  ["a code in a URL", "GET https://host/cb?code=4/0Adeu5B&state=x", "0Adeu5B"],
  ["a password that is told", "the password is hunter2", "hunter2"],
])("hides %s", (_, words, secret) => {
  const shown = shownWords(words, []);
  expect(shown).toContain("[redacted]");
  expect(shown).not.toContain(secret);
});

test("hides what the kubeconfig gives to the plugin, in each form", () => {
  const args = ["login", "-p", "hunter", "--api-key=K3yK", "-uadaada", "--header", "X-Any: abc123", "user=lovelace"];
  const secrets = settingsOf({ args, env: [{ name: "ANY", value: 'say "friend" ü' }] });
  const words = `login hunter K3yK adaada abc123 lovelace ${JSON.stringify('say "friend" ü')} ${encodeURIComponent('say "friend" ü')} ${btoa("hunter")}`;
  const shown = shownWords(words, secrets);
  expect(shown.startsWith("login [redacted] [redacted] [redacted] [redacted] [redacted] ")).toBe(true);
  for (const one of ["hunter", "friend", btoa("hunter")]) expect(shown).not.toContain(one);
});

test("leaves flags, sub-commands and short values of the kubeconfig", () => {
  const args = ["eks", "get-token", "--output", "json", "--verbose", "-i", "abc"];
  expect(settingsOf({ args, env: [{ name: "ON", value: "true" }] })).toEqual([]);
});

test("hides what is inherited under the name of a secret, and nothing else of it", () => {
  const env = { AWS_SECRET_ACCESS_KEY: "canary", HOME: "/home/ada", GH_TOKEN: "kitten", PATH: "/usr/bin" };
  expect(inheritedSecrets(env)).toEqual(["canary", "kitten"]);
});

describe("leaves what went wrong readable", () => {
  test.each([
    'Unable to locate credentials. You can configure credentials by running "aws configure".',
    "An error occurred (ExpiredTokenException) when calling the GetCallerIdentity operation: The security token included in the request is expired",
    "The config profile (prod) could not be found",
    "Error when retrieving token from sso: Token has expired and refresh failed",
    "Could not connect to the endpoint URL: https://sts.eu-west-1.amazonaws.com/",
    "ERROR: (gcloud.auth.print-access-token) Your current active account does not have any valid credentials",
    "Please run: $ gcloud auth login to obtain new credentials.",
    "There was a problem refreshing your current auth tokens: invalid authentication",
    "open /home/ada/.config/gcloud/application_default_credentials.json: no such file or directory",
    "error: get-token: authentication error: could not open the browser",
    "oidc error: oidc discovery error: Get https://login.example.com/.well-known/openid-configuration: dial tcp 10.0.0.1:443: connect: connection refused",
    "failed to get token: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks",
    "ERROR: Please run 'az login' to setup account.",
    "AADSTS700082: The refresh token has expired due to inactivity.",
    "exec: executable kubelogin not found",
    "x509: certificate signed by unknown authority",
    "unknown flag: --token",
    "python3: can't open file '/usr/lib/google-cloud-sdk/lib/gcloud.py'",
    "client.authentication.k8s.io/v1beta1 is not supported by aws-iam-authenticator v0.6.14",
  ])("%s", (words) => {
    expect(shownWords(words, [])).toBe(words);
  });
});

test("takes no long time for what is made to take long", () => {
  // Each of them would take minutes with a rule that goes back over what it has read more than once.
  for (const piece of ["token", "a:", "--token", "://", '"', '\\"', "key ", "password=", "aA1/", "é"]) {
    expect(shownWords(piece.repeat(4_096 / piece.length), []).length).toBeLessThan(500);
  }
});
