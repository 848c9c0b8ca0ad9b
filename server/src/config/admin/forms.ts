import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { restResult } from '@nacos-kube/core/http/answers.ts';
import { decodeMultipart, isMultipart } from '@nacos-kube/core/http/multipart.ts';
import type { Call, Form, Route } from '@nacos-kube/core/http/route.ts';
import { decodeIds, present } from '@nacos-kube/core/wire/config-admin.ts';
import { CONFIGS_PER_SEARCH_MAX } from '../../store/store.ts';
import { cloneConfigs } from './clone.ts';
import { exportConfigs } from './export.ts';
import { importConfigs } from './import.ts';
import type { AdminPorts } from './ports.ts';
import { searchConfigs, showConfig } from './search.ts';
import { Turns } from './turns.ts';

/** Each may hold what an archive inflates to. */
const ARCHIVES_AT_ONCE = 2;
const SEARCHES_AT_ONCE = 4;

/**
 * One path of the reference stands for many calls, told apart by parameters. Those of operators are looked for first;
 * the rest, among them every call that SDKs make, goes on to its own handler.
 */
export function withAdminForms(routes: readonly Route[], ports: AdminPorts): readonly Route[] {
  const forms = adminForms(ports);
  return routes.map((route) => {
    const admin = route.path === '/v1/cs/configs' ? forms[route.method] : undefined;
    return admin === undefined ? route : { ...route, handler: (call) => admin(call) ?? route.handler(call) };
  });
}

/** The answer to a form that operators use; undefined when a call is none of those. */
type AdminForm = (call: Call) => Promise<HttpResponse> | undefined;

function adminForms(ports: AdminPorts): Readonly<Partial<Record<Route['method'], AdminForm>>> {
  const archives = new Turns('imports, exports and clones', ARCHIVES_AT_ONCE);
  const searches = new Turns('searches', SEARCHES_AT_ONCE);
  return {
    GET(call) {
      const { form } = call;
      const search = form.get('search');
      if (search === 'accurate' || search === 'blur') {
        return searches.run(() => searchConfigs(ports.store, call, search));
      }
      if (form.get('show') === 'all') return showConfig(ports.store, call);
      if (form.get('export') === 'true') return archives.run(() => exportConfigs(ports, call, 1));
      if (form.get('exportV2') === 'true') return archives.run(() => exportConfigs(ports, call, 2));
      return undefined;
    },
    POST(call) {
      if (call.form.get('clone') === 'true') return archives.run(() => cloneConfigs(ports, call));
      if (call.form.get('import') !== 'true' && !isMultipart(call.request.headers)) return undefined;
      const { form, file } = formOf(call);
      if (form.get('import') !== 'true') return undefined;
      return archives.run(() => importConfigs(ports, { form, file, clientIp: call.clientIp }));
    },
    DELETE: (call) => (call.form.get('delType') === 'ids' ? removeByIds(ports, call) : undefined),
  };
}

/** The reference notes no user either. */
async function removeByIds({ publisher }: AdminPorts, { form, clientIp }: Call): Promise<HttpResponse> {
  const ids = decodeIds(present(form, 'ids'), CONFIGS_PER_SEARCH_MAX);
  if (ids.length > 0) await publisher.removeMany(ids, { ip: clientIp, user: null });
  return restResult(true);
}

/** The fields of a multipart form are parameters like those of the query, which win. */
function formOf({ form, request }: Call): { readonly form: Form; readonly file: Uint8Array | undefined } {
  if (!isMultipart(request.headers)) return { form, file: undefined };
  const { fields, file } = decodeMultipart(request.headers, request.body);
  return { form: new Map([...fields, ...form]), file };
}
