/** What the thread for files is asked for, and what it answers. */
export type FileTask =
  | { readonly do: 'list'; readonly path: string }
  /** Under a temporary name first. */
  | {
      readonly do: 'write';
      readonly path: string;
      readonly temporary: string;
      readonly content: string | Uint8Array;
      readonly mode: number;
      /** The content before it has its name, and then the name. */
      readonly sync: boolean;
    }
  | { readonly do: 'remove'; readonly path: string }
  /** A file and its name, or a directory. */
  | { readonly do: 'sync'; readonly path: string };

export interface FileTasks {
  readonly id: number;
  readonly tasks: readonly FileTask[];
}

/** Of each task the names of a list, null, or why it failed. */
export type FileOutcome = readonly string[] | null | { readonly code: string; readonly message: string };

export interface FileOutcomes {
  readonly id: number;
  readonly outcomes: readonly FileOutcome[];
}
