/**
 * Makes operator/src/generated/nacos-cluster.ts from crds/nacosclusters.yaml, so that the manifest's schema and the
 * operator's types can't part. Run it after each change of the CRD; a test fails when it was forgotten.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { load } from 'js-yaml';

export const CRD_PATH = join(import.meta.dirname, '../crds/nacosclusters.yaml');
export const TYPES_PATH = join(import.meta.dirname, '../operator/src/generated/nacos-cluster.ts');

if (import.meta.main) {
  mkdirSync(dirname(TYPES_PATH), { recursive: true });
  writeFileSync(TYPES_PATH, generateTypes(readFileSync(CRD_PATH, 'utf8')));
  console.log(`wrote ${TYPES_PATH}`);
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

export function generateTypes(crdYaml: string): string {
  const { group, names, versions } = (load(crdYaml) as Crd).spec;
  const version = versions[0];
  if (!version) throw new Error('the CRD has no version');
  const interfaces: string[] = [];
  writeInterface(names.kind, version.schema.openAPIV3Schema, interfaces);
  return `${[
    '// Generated from crds/nacosclusters.yaml by scripts/generate-types.ts. Do not edit.',
    "import type { ObjectMeta } from '../kube/objects.ts';",
    '',
    `export const GROUP = '${group}';`,
    `export const VERSION = '${version.name}';`,
    `export const KIND = '${names.kind}';`,
    `export const PLURAL = '${names.plural}';`,
    '',
    interfaces.join('\n\n'),
  ].join('\n')}\n`;
}

/** Appends the interface and, after it, those of its parts. */
function writeInterface(name: string, schema: Schema, out: string[]): void {
  const place = out.push('') - 1;
  const lines = Object.entries(schema.properties ?? {}).map(([key, property]) => {
    const doc = property.description ? `  /** ${property.description} */\n` : '';
    if (key === 'metadata' && !property.properties) return `${doc}  readonly metadata: ObjectMeta;`;
    // The API server fills in defaults before anyone reads, so what has one is always there.
    const sure =
      schema.required?.includes(key) || property.default !== undefined || key === 'apiVersion' || key === 'kind';
    return `${doc}  readonly ${key}${sure ? '' : '?'}: ${typeOf(name + capital(key), property, out)};`;
  });
  const doc = schema.description ? `/** ${schema.description} */\n` : '';
  out[place] = `${doc}export interface ${name} {\n${lines.join('\n')}\n}`;
}

function typeOf(name: string, schema: Schema, out: string[]): string {
  if (schema['x-kubernetes-int-or-string']) return 'number | string';
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `readonly ${bracket(typeOf(singular(name), schema.items ?? {}, out))}[]`;
    case 'object':
      if (schema.additionalProperties) {
        return `Readonly<Record<string, ${typeOf(`${name}Value`, schema.additionalProperties, out)}>>`;
      }
      writeInterface(name, schema, out);
      return name;
    default:
      throw new Error(`${name}: no TypeScript type for ${JSON.stringify(schema)}`);
  }
}

function bracket(type: string): string {
  return type.includes('|') ? `(${type})` : type;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function singular(name: string): string {
  return name.endsWith('s') ? name.slice(0, -1) : `${name}Item`;
}
