// pure

/**
 * Makes Kubernetes names from ids of Northflank: in lower case, each once. The same ids in the same order get the same
 * names.
 */
export function createNames(): (id: string) => string {
  const taken = new Set<string>();
  return (id) => {
    const base = id.toLowerCase();
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base}-${number}`;
    taken.add(name);
    return name;
  };
}
