import { load } from 'js-yaml';
import { code, head, table } from './markdown.ts';

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[];
}

interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly shortNames: readonly string[] };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
      readonly additionalPrinterColumns: readonly {
        readonly name: string;
        readonly description?: string;
        readonly jsonPath: string;
      }[];
    }[];
  };
}

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

export function nacosClusterPage(crdYaml: string): string {
  const { group, names, versions } = (load(crdYaml) as Crd).spec;
  const [version] = versions;
  if (version === undefined) throw new Error('the CRD has no version');
  const { properties = {}, ...whole } = version.schema.openAPIV3Schema;
  const { spec, status } = properties;
  if (spec === undefined || status === undefined) throw new Error('the CRD has no spec or no status');
  const specFields = fieldsOf('spec', spec);
  return `${[
    head(names.kind, 'crds/nacosclusters.yaml'),
    [
      `\`apiVersion: ${group}/${version.name}\`, \`kind: ${names.kind}\`, short \`${names.shortNames.join()}\`.`,
      `${whole.description} Samples are in [examples/kubernetes](../../examples/kubernetes).`,
    ].join('\n'),
    '## spec',
    table(
      ['field', 'type', 'default', 'what'],
      specFields.map(({ path, schema, isRequired }) => [
        code(path),
        typeText(schema),
        defaultText(schema, isRequired),
        schema.description ?? '',
      ]),
    ),
    '## What is refused',
    [
      'The API server answers with these texts. `nacos-kube up` reads the same rules, but for those about changes, and lets',
      'several members share an embedded store, since they are on one machine.',
    ].join('\n'),
    [
      { path: 'metadata', schema: whole, isRequired: true },
      { path: 'spec', schema: spec, isRequired: true },
      ...specFields,
    ]
      .flatMap(({ path, schema }) => messagesOf(schema).map((message) => `- ${code(path)}: ${message}`))
      .join('\n'),
    '## status',
    'Written by the operator alone. Conditions, reasons and events: [troubleshooting](../operating/troubleshooting.md).',
    table(
      ['field', 'type', 'what'],
      fieldsOf('status', status).map(({ path, schema }) => [code(path), typeText(schema), schema.description ?? '']),
    ),
    '## kubectl get nc',
    table(
      ['column', 'from', 'what'],
      version.additionalPrinterColumns.map(({ name, jsonPath, description = '' }) => [
        name.toUpperCase(),
        code(jsonPath),
        description,
      ]),
    ),
  ].join('\n\n')}\n`;
}

/** All fields below, each after the one that holds it. */
function fieldsOf(path: string, schema: Schema): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, below]) => {
    const field: Field = {
      path: `${path}.${name}`,
      schema: below,
      isRequired: schema.required?.includes(name) === true,
    };
    const items = below.items?.properties === undefined ? [] : fieldsOf(`${field.path}[]`, below.items);
    return [field, ...fieldsOf(field.path, below), ...items];
  });
}

function typeText(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema['x-kubernetes-int-or-string']) return 'quantity';
  const { type = '', items, additionalProperties, minimum, maximum } = schema;
  if (items !== undefined) return `list of ${plural(typeText(items))}`;
  if (additionalProperties !== undefined) return `map of ${plural(typeText(additionalProperties))}`;
  return minimum === undefined || maximum === undefined ? type : `${type}, ${minimum} to ${maximum}`;
}

function plural(text: string): string {
  return text.endsWith('y') ? `${text.slice(0, -1)}ies` : `${text}s`;
}

function defaultText(schema: Schema, isRequired: boolean): string {
  if (isRequired) return 'required';
  const value = schema.default;
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? '' : code(typeof value === 'string' ? value : JSON.stringify(value));
}

function messagesOf(schema: Schema): readonly string[] {
  return (schema['x-kubernetes-validations'] ?? []).map(({ message }) => message);
}
