import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { CONFIG_TYPES, type ConfigType } from '@nacos-kube/core/model/config.ts';
import { type PublishRequest, typeOr } from '@nacos-kube/core/wire/config.ts';
import { APP_NAME_LENGTH_MAX, checkContent, checkLength, checkNames } from '@nacos-kube/core/wire/config-check.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import type { BatchResult, ConfigName, Policy } from '@nacos-kube/core/wire/config-import.ts';
import { StoreError } from '../../store/store.ts';
import { entryName } from './metadata.ts';
import type { ConfigWriter } from './ports.ts';

/** Of one import or clone. */
export const ITEMS_MAX = 1_000;

/**
 * One publication after the other, in order, each a transaction of its own. Whether a configuration is there is judged
 * by the store while it writes, so that nobody who publishes at the same time is overwritten.
 */
export async function writeBatch(
  publisher: ConfigWriter,
  items: readonly PublishRequest[],
  policy: Policy,
  clientIp: string,
): Promise<BatchResult> {
  let written = 0;
  const failedItems: ConfigName[] = [];
  const skippedItems: ConfigName[] = [];
  for (const [n, item] of items.entries()) {
    if (await writeOne(publisher, item, policy, clientIp, `${written} of ${items.length} were stored`)) {
      written += 1;
    } else if (policy === 'ABORT') {
      failedItems.push(item);
      skippedItems.push(...items.slice(n + 1));
      break;
    } else {
      skippedItems.push(item);
    }
  }
  return { written, skipped: policy === 'SKIP' ? skippedItems.length : 0, failedItems, skippedItems };
}

/** Told before anything is stored; the reference stores what stands before the bad one. */
export function checkItems(items: readonly PublishRequest[]): void {
  if (items.length > ITEMS_MAX) throw configError(400, `too many configurations, over ${ITEMS_MAX}`);
  for (const { dataId, group, content, appName, description } of items) {
    try {
      checkNames(dataId, group);
      checkContent(content);
      if (appName !== undefined) checkLength('appName', appName, APP_NAME_LENGTH_MAX);
      if (description !== null) checkLength('desc', description, 128);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw ofItem(error, { dataId, group }, 'nothing was stored');
    }
  }
}

const TYPES_BY_EXTENSION: ReadonlyMap<string, ConfigType> = new Map([
  ...CONFIG_TYPES.filter((type) => type !== 'unset').map((type) => [type, type] as const),
  ['yml', 'yaml'],
  ['txt', 'text'],
  ['htm', 'html'],
]);

/** What is said of it, else what its name tells. */
export function typeFor(type: string | undefined, dataId: string): ConfigType {
  if (type !== undefined && type.trim() !== '') return typeOr(type, 'text');
  const dot = dataId.lastIndexOf('.');
  return (dot < 0 ? undefined : TYPES_BY_EXTENSION.get(dataId.slice(dot + 1).toLowerCase())) ?? 'text';
}

/** False when it was there already, and the policy is not to overwrite. */
async function writeOne(
  publisher: ConfigWriter,
  item: PublishRequest,
  policy: Policy,
  clientIp: string,
  sofar: string,
): Promise<boolean> {
  try {
    await publisher.publish(policy === 'OVERWRITE' ? item : { ...item, expectedMd5: '' }, clientIp);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) {
      if (error.status === 409 && policy !== 'OVERWRITE') return false;
      throw ofItem(error, item, sofar);
    }
    if (!(error instanceof StoreError)) throw error;
    // Whoever imports must know that a part is there: the store's own refusal would not say so.
    const status = error.kind === 'invalid' ? 400 : 503;
    const why = error.because === undefined ? '' : ` (${error.because})`;
    throw configError(status, `${entryName(item)}: the store is ${error.kind}${why}; ${sofar}`, { cause: error });
  }
}

function ofItem(error: ProtocolError, item: ConfigName, sofar: string): ProtocolError {
  const text = error.message.replace(/^caused: /, '').replace(/;$/, '');
  const message = `caused: ${text} (${entryName(item).slice(0, 400)}; ${sofar});`;
  return new ProtocolError(error.status, message, { cause: error });
}
