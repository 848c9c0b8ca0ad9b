import { json, restResult } from '@nacos-kube/core/http/answers.ts';
import { strictBoolean } from '@nacos-kube/core/http/parameters.ts';
import { badRequest, ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import type { Namespace } from '@nacos-kube/core/model/namespace.ts';
import { checkText } from '@nacos-kube/core/wire/naming-names.ts';
import { declared } from '../ops/parameters.ts';
import type { Namespaces } from './namespaces.ts';

const READ: Policy = { kind: 'read', area: 'namespaces' };
const WRITE: Policy = { kind: 'write', area: 'namespaces' };
const PATH = '/v1/console/namespaces';

export const NAME_CHARS_MAX = 128;
export const DESCRIPTION_CHARS_MAX = 256;
/** Shown for every namespace; the reference never computes it. */
const QUOTA = 200;
const PUBLIC: Namespace = { id: '', name: 'public', description: '' };

export interface NamespaceOptions {
  readonly namespaces: Namespaces;
  /** Configurations in a namespace; the empty text is the public one. */
  readonly countConfigs: (namespaceId: string) => number;
}

/** Namespaces as the console makes and lists them (spec/cluster.md 5). */
export function namespaceRoutes(options: NamespaceOptions): Route[] {
  const { namespaces } = options;
  return [
    { method: 'GET', path: PATH, policy: READ, handler: ({ form }) => look(options, form) },
    {
      method: 'POST',
      path: PATH,
      policy: WRITE,
      async handler({ form }) {
        const id = declared(form, 'customNamespaceId');
        return json(await namespaces.create({ id, ...decodeTexts(form, 'namespaceName') }));
      },
    },
    {
      method: 'PUT',
      path: PATH,
      policy: WRITE,
      async handler({ form }) {
        const id = declared(form, 'namespace');
        const texts = decodeTexts(form, 'namespaceShowName');
        if (isKey(id)) await namespaces.update({ id, ...texts });
        return json(true);
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      policy: WRITE,
      async handler({ form }) {
        const id = declared(form, 'namespaceId');
        if (isKey(id)) await namespaces.remove(id);
        return json(true);
      },
    },
  ];
}

/** One path, three questions: the reference tells them apart by a parameter. */
function look(options: NamespaceOptions, form: Form) {
  const { namespaces } = options;
  // To say that there are none, before the store was ever read, would be a guess.
  if (!namespaces.isLoaded) throw new ProtocolError(503, 'namespaces are not loaded yet, please try again later!');
  if (strictBoolean(form.get('checkNamespaceIdExist') ?? '')) {
    const id = declared(form, 'customNamespaceId');
    return json(id !== '' && namespaces.isTaken(id));
  }
  if (form.get('show') === 'all') return json(details(options, declared(form, 'namespaceId')));
  return restResult([row(options, PUBLIC, 0), ...namespaces.list().map((one) => row(options, one, 2))]);
}

function details(options: NamespaceOptions, id: string) {
  if (id === '') return { ...row(options, { ...PUBLIC, name: 'Public' }, 0), namespaceDesc: 'Public Namespace' };
  const namespace = options.namespaces.get(id);
  if (namespace === undefined) throw new ProtocolError(404, `there is no namespace with this id`);
  return { ...row(options, namespace, 2), namespaceDesc: namespace.description };
}

function row({ countConfigs }: NamespaceOptions, { id, name }: Namespace, type: 0 | 2) {
  return { namespace: id, namespaceShowName: name, quota: QUOTA, configCount: countConfigs(id), type };
}

function decodeTexts(form: Form, nameParameter: string): Omit<Namespace, 'id'> {
  const name = declared(form, nameParameter);
  if (name === '') throw badRequest(`Param '${nameParameter}' is required.`);
  return {
    name: checkText(name, nameParameter, NAME_CHARS_MAX),
    description: checkText(form.get('namespaceDesc')?.trim() ?? '', 'namespaceDesc', DESCRIPTION_CHARS_MAX),
  };
}

/** No other text can be the id of a namespace that was made, here or by the reference. */
function isKey(id: string): boolean {
  return /^[\w-]{1,128}$/.test(id);
}
