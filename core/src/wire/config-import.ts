import type { HttpResponse } from '../host/host.ts';
import { restResult } from '../http/answers.ts';
import type { Form } from '../http/route.ts';
import { isBlank } from './config-check.ts';
import { configError } from './config-errors.ts';

/** Imports and clones: what is asked and what the console is told (spec/config.md 1.4). */

export const POLICIES = ['ABORT', 'SKIP', 'OVERWRITE'] as const;
/** What becomes of a configuration that is there already. */
export type Policy = (typeof POLICIES)[number];

export function decodePolicy(form: Form): Policy {
  const text = form.get('policy') ?? '';
  if (isBlank(text)) return 'ABORT';
  const policy = POLICIES.find((one) => one === text);
  if (policy === undefined) throw configError(400, `policy must be one of ${POLICIES.join(', ')}`);
  return policy;
}

export interface ConfigName {
  readonly dataId: string;
  readonly group: string;
}

export interface BatchResult {
  readonly written: number;
  readonly skipped: number;
  readonly failedItems: readonly ConfigName[];
  readonly skippedItems: readonly ConfigName[];
}

/** Lists stand in the answer only when there is something in them. */
export function importDone(result: BatchResult, unrecognized: readonly string[]): HttpResponse {
  const data = { ...resultJson(result), ...unrecognizedJson(unrecognized) };
  return restResult(data, '导入成功');
}

export function cloneDone(result: BatchResult): HttpResponse {
  return restResult(resultJson(result), 'Clone Completed Successfully');
}

export type ImportFailure = 'no-namespace' | 'bad-metadata' | 'unreadable' | 'nothing-found' | 'nothing-selected';

const FAILURES: Readonly<Record<ImportFailure, readonly [number, string]>> = {
  'no-namespace': [100_001, '目标 namespace 不存在'],
  'bad-metadata': [100_002, '导入的元数据非法'],
  unreadable: [100_004, '解析数据失败'],
  'nothing-found': [100_005, '导入的文件数据为空'],
  'nothing-selected': [100_006, '没有选择任何配置'],
};

/** HTTP 200, as the console expects. */
export function importFailed(failure: ImportFailure, data: object = { succCount: 0 }): HttpResponse {
  const [code, message] = FAILURES[failure];
  return restResult(data, message, code);
}

/** Of an entry that the metadata does not name. */
export function notInMetadata(name: string): string {
  return `未在元数据中找到: ${name}`;
}

/** Of metadata without its entry. */
export function notInArchive(name: string): string {
  return `未在文件中找到: ${name}`;
}

function resultJson({ written, skipped, failedItems, skippedItems }: BatchResult) {
  return {
    succCount: written,
    skipCount: skipped,
    ...(failedItems.length > 0 && { failData: failedItems.map(nameJson) }),
    ...(skippedItems.length > 0 && { skipData: skippedItems.map(nameJson) }),
  };
}

function unrecognizedJson(names: readonly string[]) {
  if (names.length === 0) return {};
  return { unrecognizedCount: names.length, unrecognizedData: names.map((itemName) => ({ itemName })) };
}

function nameJson({ dataId, group }: ConfigName) {
  return { dataId, group };
}
