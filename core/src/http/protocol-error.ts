/** Bad input, thrown while decoding and answered in one place: `status` with `message` as plain text. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

export function badRequest(message: string): ProtocolError {
  return new ProtocolError(400, message);
}
