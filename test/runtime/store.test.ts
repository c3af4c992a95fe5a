import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, Store } from "../../src/runtime/store.ts";

interface Pet {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly owners: readonly string[];
}

function pet(name: string, resourceVersion: string | number, options: { uid?: string; owners?: string[] } = {}): Pet {
  return {
    metadata: { name, uid: options.uid ?? `uid-${name}`, resourceVersion: String(resourceVersion) },
    owners: options.owners ?? [],
  };
}

function setUp(...initial: readonly Pet[]) {
  const errors: unknown[] = [];
  const store = new Store<Pet, "owner">({
    indexes: { owner: ({ owners }) => owners },
    onListenerError: (error, key) => errors.push({ error, key }),
  });
  if (initial.length > 0) store.replace(initial);
  const heard: string[] = [];
  store.listen((change) => heard.push(describeChange(change)));
  return { store, heard, errors };
}

function describeChange(change: Change<Pet>): string {
  switch (change.kind) {
    case "added":
      return `added ${change.key}@${change.object.metadata.resourceVersion}${change.initial ? " at first" : ""}`;
    case "updated":
      return `updated ${change.key}@${change.previous.metadata.resourceVersion}->${change.object.metadata.resourceVersion}`;
    case "deleted":
      return `deleted ${change.key}@${change.previous.metadata.resourceVersion}`;
  }
}

function content(store: Store<Pet, "owner">): readonly string[] {
  return store
    .list()
    .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
    .sort();
}

describe("watch events", () => {
  test("an object appears, changes and goes", () => {
    const { store, heard } = setUp();
    store.apply(pet("rex", 1));
    store.apply(pet("rex", 2));
    store.remove(pet("rex", 3).metadata);
    expect(heard).toEqual(["added rex@1", "updated rex@1->2", "deleted rex@2"]);
    expect(store.size).toBe(0);
  });

  test("the same state twice, an older state, and a deletion of what is not here say nothing", () => {
    const { store, heard } = setUp(pet("rex", 5));
    store.apply(pet("rex", 5));
    store.apply(pet("rex", 4));
    store.remove(pet("tom", 9).metadata);
    expect(heard).toEqual([]);
    expect(content(store)).toEqual(["rex@5"]);
  });

  test("an object made again under the same name is one deletion and one addition", () => {
    const { store, heard } = setUp(pet("rex", 5));
    store.apply(pet("rex", 9, { uid: "other" }));
    expect(heard).toEqual(["deleted rex@5", "added rex@9"]);
  });

  test("a late deletion of the earlier object does not take out its successor", () => {
    const { store, heard } = setUp(pet("rex", 9, { uid: "other" }));
    store.remove(pet("rex", 6).metadata);
    expect(heard).toEqual([]);
    expect(content(store)).toEqual(["rex@9"]);
  });

  test("states that cannot be compared are taken as new", () => {
    const { store, heard } = setUp(pet("rex", "b"));
    store.apply(pet("rex", "a"));
    expect(heard).toEqual(["updated rex@b->a"]);
  });
});

describe("the answer to our own write", () => {
  test("is seen at once, told once, and its event says nothing more", () => {
    const { store, heard } = setUp(pet("rex", 5));
    expect(store.upsertIfNewer(pet("rex", 7))).toBe(true);
    store.apply(pet("rex", 6));
    store.apply(pet("rex", 7));
    expect(heard).toEqual(["updated rex@5->7"]);
    expect(content(store)).toEqual(["rex@7"]);
  });

  test.each([
    ["is older than what is here", pet("rex", 4)],
    ["is what is here", pet("rex", 5)],
    ["belongs to an object that was replaced by another of that name", pet("rex", 9, { uid: "gone" })],
    ["belongs to an object that is gone", pet("tom", 9)],
  ])("is dropped when it %s", (_, answer) => {
    const { store, heard } = setUp(pet("rex", 5));
    expect(store.upsertIfNewer(answer)).toBe(false);
    expect(heard).toEqual([]);
    expect(content(store)).toEqual(["rex@5"]);
  });
});

describe("a relist", () => {
  test("tells the difference, deletions first, and nothing of what did not change", () => {
    const { store, heard } = setUp(pet("same", 1), pet("changed", 2), pet("gone", 3), pet("again", 4));
    store.replace([pet("new", 9), pet("again", 8, { uid: "other" }), pet("same", 1), pet("changed", 7)]);
    expect(heard).toEqual([
      "deleted gone@3",
      "added new@9",
      "deleted again@4",
      "added again@8",
      "updated changed@2->7",
    ]);
  });

  test("the first one says so, and so does the first one after the kind was gone", () => {
    const { store, heard } = setUp();
    store.replace([pet("rex", 1)]);
    store.replace([pet("rex", 1), pet("tom", 2)]);
    store.clear();
    expect(content(store)).toEqual([]);
    store.replace([pet("rex", 1)]);
    expect(heard).toEqual(["added rex@1 at first", "added tom@2", "added rex@1 at first"]);
  });

  test("is complete before the first listener hears of it", () => {
    const { store } = setUp(pet("a", 1));
    const seen: (readonly string[])[] = [];
    store.listen(() => seen.push(content(store)));
    store.replace([pet("b", 2), pet("c", 3)]);
    expect(seen).toEqual([
      ["b@2", "c@3"],
      ["b@2", "c@3"],
      ["b@2", "c@3"],
    ]);
  });

  test("keeps an answer that is newer than the list", () => {
    const { store, heard } = setUp(pet("rex", 5));
    store.upsertIfNewer(pet("rex", 8));
    store.replace([pet("rex", 6)]);
    expect(content(store)).toEqual(["rex@8"]);
    expect(heard).toEqual(["updated rex@5->8"]);
  });

  test("takes older states too when the server is to be trusted", () => {
    const { store, heard } = setUp(pet("rex", 50), pet("tom", 6));
    store.replace([pet("rex", 6), pet("tom", 6)], { trust: true });
    expect(heard).toEqual(["updated rex@50->6", "updated tom@6->6"]);
  });
});

describe("indexes", () => {
  test("follow additions, changes, deletions, relists and clear", () => {
    const { store } = setUp(pet("rex", 1, { owners: ["ann", "bob"] }), pet("tom", 2, { owners: ["ann"] }));
    const of = (owner: string) => store.byIndex("owner", owner).map(({ metadata }) => metadata.name);
    expect([of("ann"), of("bob"), of("eve")]).toEqual([["rex", "tom"], ["rex"], []]);
    store.apply(pet("rex", 3, { owners: ["eve"] }));
    expect([of("ann"), of("bob"), of("eve")]).toEqual([["tom"], [], ["rex"]]);
    store.remove(pet("tom", 4).metadata);
    expect(of("ann")).toEqual([]);
    store.replace([pet("kit", 5, { owners: ["eve"] })]);
    expect(of("eve")).toEqual(["kit"]);
    store.clear();
    expect(of("eve")).toEqual([]);
  });
});

test("a listener that throws harms nobody, and its error is reported with the key", () => {
  const { store, errors } = setUp();
  const heard: string[] = [];
  const error = new Error("boom");
  store.listen(() => {
    throw error;
  });
  const off = store.listen(({ key }) => heard.push(key));
  store.apply(pet("rex", 1));
  off();
  store.apply(pet("tom", 2));
  expect(heard).toEqual(["rex"]);
  expect(errors).toEqual([
    { error, key: "rex" },
    { error, key: "tom" },
  ]);
});

describe("for any order of events, answers and relists", () => {
  const name = fc.constantFrom("a", "b", "c");
  const owners = fc.uniqueArray(fc.constantFrom("ann", "bob"));
  const uid = fc.constantFrom("1", "2");
  const one = fc.record({ name, uid, owners, resourceVersion: fc.integer({ min: 1, max: 20 }) });
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("apply" as const, "remove" as const, "upsert" as const), one }),
    fc.record({ kind: fc.constant("replace" as const), all: fc.uniqueArray(one, { selector: (o) => o.name }) }),
  );

  test("replaying what listeners were told gives the content, and the index agrees with a scan", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { store } = setUp();
        const replayed = new Map<string, Pet>();
        store.listen((change) => {
          const known = replayed.get(change.key);
          expect(known?.metadata.uid).toBe(change.kind === "added" ? undefined : change.previous.metadata.uid);
          if (change.kind === "deleted") replayed.delete(change.key);
          else replayed.set(change.key, change.object);
        });
        const make = (o: { name: string; uid: string; owners: string[]; resourceVersion: number }) =>
          pet(o.name, o.resourceVersion, o);
        for (const taken of steps) {
          if (taken.kind === "replace") store.replace(taken.all.map(make));
          else if (taken.kind === "apply") store.apply(make(taken.one));
          else if (taken.kind === "remove") store.remove(make(taken.one).metadata);
          else store.upsertIfNewer(make(taken.one));
          expect(store.list().toSorted(byName)).toEqual([...replayed.values()].toSorted(byName));
          for (const owner of ["ann", "bob"]) {
            const scanned = store.list().filter((object) => object.owners.includes(owner));
            expect(store.byIndex("owner", owner).toSorted(byName)).toEqual(scanned.toSorted(byName));
          }
        }
      }),
    );
  });
});

function byName(a: Pet, b: Pet): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

describe("an index function that throws", () => {
  const bad = (name: string, resourceVersion: number): Pet =>
    ({ ...pet(name, resourceVersion), owners: undefined }) as unknown as Pet;

  function setUpFragile() {
    const errors: string[] = [];
    const store = new Store<Pet, "owner">({
      indexes: { owner: ({ owners }) => owners.map((owner) => owner) },
      onListenerError: (_, key) => errors.push(key),
    });
    const heard: string[] = [];
    store.listen((change) => heard.push(describeChange(change)));
    return { store, errors, heard };
  }

  test("costs the object its entry in that index, and nothing else", () => {
    const { store, errors, heard } = setUpFragile();
    store.replace([pet("rex", 1, { owners: ["ann"] }), bad("odd", 2), pet("tom", 3, { owners: ["ann"] })]);
    expect(heard).toEqual(["added rex@1 at first", "added odd@2 at first", "added tom@3 at first"]);
    expect(store.byIndex("owner", "ann").map(({ metadata }) => metadata.name)).toEqual(["rex", "tom"]);
    expect(["ann", "bob"].map((owner) => store.countByIndex("owner", owner))).toEqual([2, 0]);
    expect(store.get("odd")?.metadata.resourceVersion).toBe("2");
    expect(errors).toEqual(["odd"]);
  });

  test("costs nothing any more once the object is in order, and leaves nothing behind when it is not again", () => {
    const { store, errors } = setUpFragile();
    store.apply(bad("odd", 1));
    store.apply(pet("odd", 2, { owners: ["ann"] }));
    expect(store.byIndex("owner", "ann")).toHaveLength(1);
    store.apply(bad("odd", 3));
    expect(store.byIndex("owner", "ann")).toEqual([]);
    store.remove(bad("odd", 4).metadata as never);
    store.replace([]);
    expect([store.size, errors]).toEqual([0, ["odd", "odd"]]);
  });
});
