/** Texts, hashes and orders that Java programs compute and that checksums and answers of the protocol contain. */

/** A double as Java prints it: `1.0`, `0.5`, `1.0E-4`, `1.0E7`. */
export function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return javaDecimal(value, String(value), Math.abs(value).toExponential());
}

/** The value as a float32, in the fewest digits that name it: `0.8`, not `0.800000011920929`. */
export function javaFloat(value: number): string {
  const float = Math.fround(value);
  if (!Number.isFinite(float)) return String(float);
  let digits = 1;
  // Nine significant digits tell any two floats apart; Java looks at no fewer than two.
  while (digits < 8 && Math.fround(Number(float.toExponential(digits))) !== float) digits++;
  const shortest = float.toExponential(digits);
  return javaDecimal(float, String(Number(shortest)), shortest.replace(/^-/, ''));
}

/** Plain between 0.001 and 10 million, else `d.dE±x`; always a digit on both sides of the point. */
function javaDecimal(value: number, plain: string, unsignedExponential: string): string {
  const size = Math.abs(value);
  if (size === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  if (size >= 1e-3 && size < 1e7) return plain.includes('.') ? plain : `${plain}.0`;
  const twoDigits = unsignedExponential.includes('.') ? unsignedExponential : size.toExponential(1);
  return `${value < 0 ? '-' : ''}${twoDigits.replace(/e\+?/, 'E')}`;
}

/** `String.hashCode`: 32 bits over the UTF-16 units. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

/** The order in which a Java `HashMap` yields keys that were put in the given order. */
export function javaMapOrder(keys: readonly string[]): string[] {
  let capacity = 16;
  while (keys.length > capacity * 0.75) capacity *= 2;
  const mask = capacity - 1;
  const bucket = (key: string) => {
    const hash = javaHash(key);
    return (hash ^ (hash >>> 16)) & mask;
  };
  // Sorting is stable, so keys of one bucket stay in the order of insertion.
  return keys
    .map((key) => ({ key, bucket: bucket(key) }))
    .sort((a, b) => a.bucket - b.bucket)
    .map(({ key }) => key);
}
