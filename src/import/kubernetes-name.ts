// pure

/**
 * Hands out Kubernetes names for ids of Northflank: in lower case, and each once. Ids are given in a stable order, so that
 * names are stable too.
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
