/**
 * Environment of the node from `spec.settings`: `nacos.core.some-thing` becomes `NACOS_CORE_SOME_THING`, what is
 * written as an environment name stays. Sorted, for the order of a map must not restart pods. Where two keys mean the
 * same variable the environment name wins.
 */
export function settingsAsEnv(settings: Readonly<Record<string, string>>): { name: string; value: string }[] {
  const values = new Map<string, string>();
  // Lower case sorts after upper case, so backwards the environment names come last and stay.
  for (const key of Object.keys(settings).sort().reverse()) {
    values.set(key.replaceAll(/[.-]/g, '_').toUpperCase(), literal(settings[key] as string));
  }
  return [...values].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Kubernetes replaces `$(NAME)` in values, a user's text is to arrive as it is. */
function literal(value: string): string {
  return value.replaceAll('$(', '$$$$(');
}
