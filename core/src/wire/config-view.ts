import type { HttpResponse } from '../host/host.ts';
import { restResult } from '../http/answers.ts';
import type { ConfigType, ConfigVariant } from '../model/config.ts';
import { encodeRead } from './config.ts';
import { formEncode } from './java-url.ts';

/** Why a variant was chosen; a tag that was asked for by parameter is not told again. */
export type ChosenBy = 'beta' | 'tag parameter' | 'tag header';

export interface ReadableVariant {
  readonly md5: string;
  readonly modifiedMs: number;
  readonly tag: string;
}

/** The type is that of the formal configuration, also here; `text` where there is none. */
export function encodeVariantRead(
  variant: ReadableVariant,
  formalType: ConfigType,
  content: Uint8Array,
  chosenBy: ChosenBy,
): HttpResponse {
  const { md5, modifiedMs } = variant;
  const answer = encodeRead({ md5, type: formalType, modifiedMs }, content);
  switch (chosenBy) {
    case 'beta':
      return { ...answer, headers: { ...answer.headers, isbeta: 'true' } };
    case 'tag header':
      return { ...answer, headers: { ...answer.headers, 'vipserver-tag': formEncode(variant.tag) } };
    case 'tag parameter':
      return answer;
  }
}

/** Of asking for a beta and of stopping one alike; the reference copied the text and left it so. */
const BETA_TEXT = 'stop beta ok';
const BETA_FAILURE = 'remove beta data error';

/** The object of the reference in its order; its `id` is that of a table that only some stores have. */
export function encodeBeta(beta: ConfigVariant | undefined): HttpResponse {
  if (beta === undefined) return restResult(null, BETA_TEXT);
  const { dataId, group, content, namespaceId, appName, betaIps } = beta;
  const facts = { id: '0', dataId, group, content, md5: null, tenant: namespaceId, appName, type: null, betaIps };
  return restResult(facts, BETA_TEXT);
}

export const BETA_UNREADABLE: HttpResponse = restResult(null, BETA_FAILURE, 500);
export const BETA_STOPPED: HttpResponse = restResult(true, BETA_TEXT);
export const BETA_NOT_STOPPED: HttpResponse = restResult(false, BETA_FAILURE, 500);
