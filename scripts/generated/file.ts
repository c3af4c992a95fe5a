/** A file that is written by `npm run generate`, named relative to its folder. */
export interface GeneratedFile {
  readonly name: string;
  readonly text: string;
}
