import { describe, expect, test } from "vitest";
import { cutUnreleased, sectionOf } from "../../../scripts/release/changelog.ts";

const release = { version: "1.3.0", date: "2026-12-01" };
const before = `# Changelog

## Unreleased

Better.

- One.

### Runs

- Two.

## 1.2.0 - 2026-11-01

- Old.
`;

describe("cutting the changelog", () => {
  test("puts a version and a date on what was unreleased, and leaves the rest as it was", () => {
    expect(cutUnreleased(before, release).text).toBe(
      before.replace("## Unreleased\n", "## Unreleased\n\n## 1.3.0 - 2026-12-01\n"),
    );
  });

  test("takes the section as the notes of the release", () => {
    expect(cutUnreleased(before, release).notes).toBe("Better.\n\n- One.\n\n### Runs\n\n- Two.\n");
  });

  test("makes the section that is found later", () => {
    const { text, notes } = cutUnreleased(before, release);
    expect(sectionOf(text, "1.3.0")).toBe(notes);
    expect(sectionOf(text, "1.2.0")).toBe("- Old.\n");
    expect(sectionOf(text, "Unreleased")).toBe("\n");
  });

  test("works on the first release, when nothing follows", () => {
    const { text, notes } = cutUnreleased("# Changelog\n\n## Unreleased\n\n- One.\n", release);
    expect([text, notes]).toEqual(["# Changelog\n\n## Unreleased\n\n## 1.3.0 - 2026-12-01\n\n- One.\n", "- One.\n"]);
  });

  test("makes the pre-releases of a version part of it", () => {
    const candidate = cutUnreleased(before, { version: "1.3.0-rc.1", date: "2026-11-20" }).text;
    const other = candidate.replace("## 1.2.0 ", "## 1.2.9-rc.1 - 2026-11-02\n\n- Other.\n\n## 1.2.0 ");
    const { text, notes } = cutUnreleased(other, release);
    expect(notes).toBe("Better.\n\n- One.\n\n### Runs\n\n- Two.\n");
    expect(text).toBe(
      before
        .replace("## Unreleased\n", "## Unreleased\n\n## 1.3.0 - 2026-12-01\n")
        .replace("## 1.2.0 ", "## 1.2.9-rc.1 - 2026-11-02\n\n- Other.\n\n## 1.2.0 "),
    );
    const mended = candidate.replace("## Unreleased\n", "## Unreleased\n\n- Mended.\n");
    expect(cutUnreleased(mended, release).notes).toBe("- Mended.\n\nBetter.\n\n- One.\n\n### Runs\n\n- Two.\n");
    // A second candidate needs something of its own.
    expect(() => cutUnreleased(candidate, { version: "1.3.0-rc.2", date: "2026-11-21" })).toThrow("no entry");
  });

  test.each([
    ["there is no entry", before.replace(/- One.|- Two./g, ""), 'no entry under "## Unreleased"'],
    ["there is no section", before.replace("## Unreleased", "## Next"), 'no section "## Unreleased"'],
    ["the version is there already", before.replace("1.2.0", "1.3.0"), 'already has a section "## 1.3.0"'],
    ["it was cut a moment ago", cutUnreleased(before, { ...release, version: "1.2.9" }).text, "no entry"],
  ])("refuses when %s", (_, text, message) => {
    expect(() => cutUnreleased(text, release)).toThrow(message);
  });

  test("finds no section of a version that only begins alike", () => {
    expect(sectionOf(before.replace("1.2.0", "1.2.0-rc.1"), "1.2.0")).toBeUndefined();
    expect(sectionOf(before, "1.2")).toBeUndefined();
  });
});
