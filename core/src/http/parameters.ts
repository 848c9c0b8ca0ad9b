import { badRequest } from './protocol-error.ts';
import type { Form } from './route.ts';

/** A parameter that must be there and not empty; trimmed. */
export function required(form: Form, name: string): string {
  const value = form.get(name)?.trim();
  if (!value) throw badRequest(`Param '${name}' is required.`);
  return value;
}

/** Missing or blank gives the default; trimmed. */
export function optional(form: Form, name: string, whenMissing: string): string {
  return form.get(name)?.trim() || whenMissing;
}

/** Digits only, within the bounds; anything else is refused with the text that clients of the reference know. */
export function integer(value: string, name: string, min: number, max: number): number {
  const number = digits(value);
  if (number < 0) throw badRequest(`For input string: "${value}"`);
  if (number < min || number > max) throw badRequest(`Param '${name}' is illegal, it should be from ${min} to ${max}`);
  return number;
}

/** The number that 1 to 15 digits write; -1 for any other text. */
function digits(text: string): number {
  if (text.length === 0 || text.length > 15) return -1;
  let number = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** `true on yes y t` in any case are true, all else is false (spec/naming.md 0.2). */
export function lenientBoolean(value: string): boolean {
  return value === 'true' || /^(true|on|yes|y|t)$/i.test(value);
}

/** Only `true`, in any case, is true. */
export function strictBoolean(value: string): boolean {
  return value === 'true' || value.toLowerCase() === 'true';
}
