/** A file as it is to be, before anything is written. */
export interface PlannedFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Readable by this user's group as well, when there is one. */
  readonly group?: string;
}
