// What Flux does to manifests before it applies them, as far as ours need it. Both rules were compared with Flux's own
// code (image-automation-controller 1.2, pkg/kustomize 1.40): on deploy/flux, and on the cases of test/flux.test.ts.

/** The newest image of an ImagePolicy, by `NAMESPACE:NAME`. */
export type LatestImages = Readonly<Record<string, { readonly name: string; readonly tag: string }>>;

/** A value in block style, and the marker behind it. Flux leaves alone what stands in a flow mapping or above the value. */
const marked =
  /^(\s*(?:- )?[\w./-]+: )(["']?)([^\s"'{[#]+)\2 # \{"\$imagepolicy": "([^":]+:[^":]+)(?::(tag|name))?"\}$/;

/** What the image automation (strategy Setters) makes of the text of a manifest. */
export function setImages(manifest: string, latest: LatestImages): string {
  return manifest
    .split("\n")
    .map((line) => {
      const [, before = "", quote = "", old = "", policy = "", part] = marked.exec(line) ?? [];
      const image = latest[policy];
      if (image === undefined) return line;
      const value = part === "tag" ? image.tag : part === "name" ? image.name : `${image.name}:${image.tag}`;
      // What YAML would read as a number is put into quotes.
      const quoted = quote === "" && Number.isFinite(Number(value)) ? '"' : quote;
      return `${before}${quoted}${value}${quoted}${line.slice(before.length + quote.length * 2 + old.length)}`;
    })
    .join("\n");
}

/** The markers in the text of a manifest, also where Flux does not see them. */
export function markersIn(manifest: string): readonly string[] {
  return [...manifest.matchAll(/"\$imagepolicy": "([^"]+)"/g)].map(([, policy = ""]) => policy);
}

/**
 * What `postBuild` makes of the text of a manifest, once at least one variable is known.
 *
 * *Errors*: where Flux fails, a `${` that begins no name of a variable; and for its functions, such as `${NAME:-text}`.
 */
export function postBuild(manifest: string, variables: Readonly<Record<string, string>>): string {
  return manifest.replaceAll(/\$\$|\$\{(?:(\w+)\})?/g, (found, name: string | undefined) => {
    if (found === "$$") return "$";
    if (name === undefined) throw new Error(`variable substitution failed: ${JSON.stringify(found)}`);
    return variables[name] ?? "";
  });
}
