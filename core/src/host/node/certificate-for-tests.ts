import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A self-signed certificate for 127.0.0.1, made anew so that no key lies in the sources. */
export function certificateForTests(): { readonly certificate: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = sequence(identifier([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
  const name = sequence(
    element(0x31, sequence(Buffer.concat([identifier([0x55, 0x04, 0x03]), element(0x0c, Buffer.from('test'))]))),
  );
  const basicConstraints = extension([0x55, 0x1d, 0x13], sequence(element(0x01, Buffer.from([0xff]))));
  const alternativeName = extension([0x55, 0x1d, 0x11], sequence(element(0x87, Buffer.from([127, 0, 0, 1]))));
  const body = sequence(
    Buffer.concat([
      element(0xa0, element(0x02, Buffer.from([2]))),
      element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ecdsaWithSha256,
      name,
      sequence(
        Buffer.concat([element(0x17, Buffer.from('200101000000Z')), element(0x17, Buffer.from('490101000000Z'))]),
      ),
      name,
      publicKey.export({ type: 'spki', format: 'der' }),
      element(0xa3, sequence(Buffer.concat([basicConstraints, alternativeName]))),
    ]),
  );
  const signature = element(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]));
  const certificate = sequence(Buffer.concat([body, ecdsaWithSha256, signature]));
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(content: Buffer): Buffer {
  return element(0x30, content);
}

function identifier(bytes: readonly number[]): Buffer {
  return element(0x06, Buffer.from(bytes));
}

function extension(id: readonly number[], content: Buffer): Buffer {
  return sequence(Buffer.concat([identifier(id), element(0x04, content)]));
}
