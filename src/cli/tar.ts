// pure

/** A text file of an archive. */
export interface ArchivedFile {
  /** At most 100 characters of ASCII. */
  readonly name: string;
  readonly text: string;
}

const blockBytes = 512;

/**
 * A tar archive (POSIX ustar) of text files. The libraries for it read and write trees of files: the smallest part of
 * one is 84 kB, a twentieth of the bundle. A test unpacks what is written here with one of them.
 */
export function tarOf(files: readonly ArchivedFile[], modifiedMs: number): Buffer {
  const blocks = files.flatMap(({ name, text }) => {
    const content = Buffer.from(text);
    const padding = Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes);
    return [headerOf(name, content.length, modifiedMs), content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function headerOf(name: string, size: number, modifiedMs: number): Buffer {
  if (!/^[\x20-\x7e]{1,100}$/.test(name)) throw new TypeError("the name of an archived file is too long, or not ASCII");
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, length: number) => value.toString(8).padStart(length, "0");
  header.write(name, 0);
  header.write(octal(0o600, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(Math.floor(modifiedMs / 1_000), 11), 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((before, byte) => before + byte, 0);
  header.write(`${octal(sum, 6)}\u0000 `, 148);
  return header;
}
