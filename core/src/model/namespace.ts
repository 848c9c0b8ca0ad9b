/** A namespace as listed by the console; `public` itself is never stored. */
export interface Namespace {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}
