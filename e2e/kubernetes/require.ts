/** What a suite does where it can't run: say so and be skipped; on CI, where everything must be there, fail. */

/** For the `skip` option of node:test: false when nothing is missing, else the reason. Throws when `CI` is set. */
export function requireOrFail(suite: string, missing: readonly string[]): string | false {
  if (missing.length === 0) return false;
  const reason = `${suite} can't run here; missing: ${missing.join('; ')}`;
  if (isCi()) throw new Error(`${reason} (CI is set, so this is a failure and not a skip)`);
  return reason;
}

export function isCi(): boolean {
  const { CI } = process.env;
  return CI !== undefined && CI !== '' && CI !== '0' && CI !== 'false';
}
