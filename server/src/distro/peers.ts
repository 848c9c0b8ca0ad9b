/** What Distro needs of the members and of the way to them. */
export interface Peers {
  readonly self: string;
  /** Those that are to be told: up, suspicious or starting, without this member. */
  healthy(): readonly string[];
  /** All in the list, without this member. */
  listed(): readonly string[];
  /** Resolves once there is a list: before that nobody is known to ask. */
  untilListed(): Promise<void>;
  ownerOf(service: string): string;
  /** The owner as a peer sees it, as far as this member knows: another one while links are cut between some only. */
  ownerFor(peer: string, service: string): string;
  /**
   * Whether this member may judge the instances of a service: it owns it, and no peer that it can hear sees another owner.
   * A peer that still sees one forwards the beats to it, so that silence here means nothing.
   */
  judges(service: string): boolean;
  /** Another number whenever `ownerOf` or `judges` may answer differently. */
  epoch(): number;
  /** Told after the healthy members, and so the owners, may have changed. */
  onChange(run: () => void): void;
  /** JSON over the peer port; rejects when there is no answer in time. */
  call(peer: string, path: string, message: unknown, timeoutMs: number): Promise<unknown>;
}
