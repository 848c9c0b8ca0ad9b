import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Form } from '@nacos-kube/core/http/route.ts';

/** A parameter whose absence the reference reports in its other wording; it may be empty. */
export function declared(form: Form, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw badRequest(`Parameter '${name}' is missing`);
  return value.trim();
}

/** As the reference reads its declared booleans: these words and no others are understood. */
export function declaredBoolean(form: Form, name: string): boolean {
  const value = form.get(name)?.trim().toLowerCase() ?? '';
  if (['', 'false', 'off', 'no', '0'].includes(value)) return false;
  if (['true', 'on', 'yes', '1'].includes(value)) return true;
  throw badRequest(`Param '${name}' is illegal, it should be true or false`);
}
