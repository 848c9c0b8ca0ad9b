/** What the figures mean that configuration gives; each is exported as `nacos_kube_config_*`. */
export const CONFIG_FIGURES: Readonly<Record<string, string>> = {
  configs: 'configurations that this node serves',
  variants: 'beta and tag variants of configurations that this node serves',
  contentBytes: 'bytes of their contents that are held in memory',
  rowsSkipped: 'rows of the store that could not be used',
  stale: '1 while the store does not answer, so that what is served may be out of date',
  longPolls: 'listeners that are held',
  heldKeys: 'configurations that held listeners name, each as often as it is named',
  watchedKeys: 'different configurations that held listeners name',
  pollsRefused: 'listeners that were sent to another node since too many are held',
  dumpQueue: 'files of the dump that wait to be written',
  dumpWrites: 'files of the dump that were written',
  dumpFailures: 'writes of the dump that failed',
  dumpDamaged: 'files of the dump that were damaged and skipped',
  dumpFailing: '1 while the disk of the dump fails',
  dumpGeneration: 'generation of the dump that a start without the store would serve; 0 before the first',
  dumpAgeSeconds: 'time since that generation was made whole; -1 before the first',
  dumpUnsettled: 'files of the dump that a loss of power may take back; they are synced within a minute',
  publishes: 'publishes that this node has stored',
  removes: 'removals that this node has stored',
  transactions: 'transactions of the store in which this node wrote; many writes that come at once share one',
  writesRefused: 'publishes and removals that the store refused or did not answer',
  writesUnderWay: 'publishes and removals that wait for the store',
  reads: 'reads of configurations',
  readsFromDump: 'reads that took the content from the dump',
  readsFromStore: 'reads that took the content from the store',
  hintsSent: 'times that peers were told of a new revision',
  hintsFailed: 'times that telling them failed; they find it within 2 s all the same',
  hintsDelayed: 'times that a peer was told later, as it was not well',
  hintsGivenUp: 'times that a peer was left to find it by itself',
  hintsWaiting: 'peers that are still to be told',
};

/** What the figures of the members mean; each is exported as `nacos_kube_members_*`. */
export const MEMBERS_FIGURES: Readonly<Record<string, string>> = {
  reportsSent: 'reports that were sent to peers',
  reportsFailed: 'reports to peers that were not answered',
  reportsReceived: 'reports of peers that were taken',
  strangers: 'reports of nodes that are not in the member list',
  moves: 'changes of the state of a member',
  partlySeen: 'members that only one side reaches',
  otherLists: 'peers that obey another member list than this node',
  denied: 'requests to the peer port that were not signed with the cluster key as they must be',
};

/** Of all these, those that only ever grow: counters, with `_total` behind their names. */
export const TOTALS: ReadonlySet<string> = new Set([
  ...['rowsSkipped', 'pollsRefused', 'dumpWrites', 'dumpFailures', 'dumpDamaged', 'publishes', 'removes'],
  ...['transactions', 'writesRefused'],
  ...['reads', 'readsFromDump', 'readsFromStore', 'hintsSent', 'hintsFailed', 'hintsDelayed', 'hintsGivenUp'],
  ...['reportsSent', 'reportsFailed', 'reportsReceived', 'strangers', 'moves', 'denied'],
]);
