/** Environment of the node from `spec.settings`. Sorted, for the order of a map must not restart pods. */
export function settingsAsEnv(settings: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.keys(settings)
    .sort()
    .map((name) => ({ name, value: literal(settings[name] as string) }));
}

/** Kubernetes replaces `$(NAME)` in values, a user's text is to arrive as it is. */
function literal(value: string): string {
  return value.replaceAll('$(', '$$$$(');
}
