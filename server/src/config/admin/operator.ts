import type { Form } from '@nacos-kube/core/http/route.ts';
import { checkLength, isBlank } from '@nacos-kube/core/wire/config-check.ts';

const USER_LENGTH_MAX = 128;

/** Until accounts exist a caller may only say who it is; imports and clones of the console do so by `src_user`. */
export function userOf(form: Form): string | null {
  const user = form.get('src_user') ?? form.get('username') ?? '';
  if (isBlank(user)) return null;
  checkLength('src_user', user, USER_LENGTH_MAX);
  return user;
}
