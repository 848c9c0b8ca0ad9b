import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Call, Form } from '@nacos-kube/core/http/route.ts';
import {
  decodeHistorySearch,
  decodeId,
  encodePage,
  namespaceOf,
  pastWriteJson,
  present,
} from '@nacos-kube/core/wire/config-admin.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import type { ConfigHistory } from '../../store/history.ts';
import type { Store } from '../../store/store.ts';

/** Past writes of one configuration, or one of them with its content. */
export async function showHistory(store: Store, { form }: Call): Promise<HttpResponse> {
  if (form.get('search') !== 'accurate') {
    const nid = decodeId(present(form, 'nid', 'Long'));
    return one(await store.getHistory(nid), form, `history ${nid}`);
  }
  const asked = decodeHistorySearch(form);
  const found = await store.searchHistory(asked, (asked.pageNo - 1) * asked.pageSize, asked.pageSize);
  return encodePage(
    found.items.map((past) => pastWriteJson(past)),
    found.total,
    asked,
  );
}

/** The content before the last change. */
export async function showPrevious(store: Store, { form }: Call): Promise<HttpResponse> {
  const id = decodeId(present(form, 'id', 'Long'));
  return one(await store.previousHistory(id), form, `history of configuration ${id}`);
}

/**
 * Whoever may read one configuration shall not read another's past by its number, so all of the key must fit. The
 * reference leaves the namespace out, answers 500 or nothing where nothing is, and checks nothing at all in 1.4.2.
 */
function one(past: ConfigHistory | undefined, form: Form, what: string): HttpResponse {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const namespaceId = namespaceOf(form, 'tenant');
  if (past === undefined) throw configError(404, `${what} does not exist`);
  if (past.dataId !== dataId || past.group !== group || past.namespaceId !== namespaceId) {
    throw new ProtocolError(403, 'Please check dataId and group.');
  }
  return json(pastWriteJson(past, past));
}
