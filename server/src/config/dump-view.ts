import type { VariantId } from '@nacos-kube/core/model/config.ts';
import { type DumpedConfig, type DumpName, dumpName, type ViewKey, viewKey } from './dump-file.ts';
import type { CachedView } from './view.ts';

/** The file of this version, whether it stands there or not. */
export function nameOf(view: CachedView): DumpName {
  return dumpName(idOf(view), factsOf(view));
}

export function idOf(view: CachedView): ViewKey {
  return viewKey(view.groupKey, variantOf(view));
}

export function variantOf(view: CachedView): VariantId | undefined {
  return 'variant' in view ? view.variant : undefined;
}

export function factsOf(view: CachedView): DumpedConfig {
  if (!('variant' in view)) return view;
  const { key, md5, modifiedMs, variant, betaIps } = view;
  return { key, md5, type: 'text', modifiedMs, variant: { id: variant, betaIps } };
}
