import { ProtocolError } from '../http/protocol-error.ts';

/**
 * Errors of the configuration routes are plain text, `caused: <message>;`. Clients show the text and judge by the
 * status, so the text is the reference's wherever it has one.
 */
export function configError(status: number, message: string, options?: ErrorOptions): ProtocolError {
  return new ProtocolError(status, `caused: ${message};`, options);
}

export function missingParameter(name: string): ProtocolError {
  return configError(400, `Required request parameter '${name}' for method parameter type String is not present`);
}

/** A feature of the reference that this version does not have: said, rather than answered as something else. */
export function notSupported(what: string): ProtocolError {
  return configError(501, `${what} is not supported yet`);
}
