/** Environment of the node from `spec.settings`. Sorted, for the order of a map must not restart pods. */
export function settingsAsEnv(settings: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.keys(settings)
    .sort()
    .map((name) => ({ name, value: literal(settings[name] as string) }));
}

/** What the agent beside a node does for it, it does by the same settings. */
const OF_SIDECARS = ['NACOS_KUBE_MYSQL_CHECKS'];

/** The part of `spec.settings` that holds for sidecars too. */
export function sidecarSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => OF_SIDECARS.includes(name)));
}

/** Kubernetes replaces `$(NAME)` in values, a user's text is to arrive as it is. */
function literal(value: string): string {
  return value.replaceAll('$(', '$$$$(');
}
