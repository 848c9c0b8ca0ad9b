const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Bytes of a Kubernetes quantity such as `1Gi`, `500M` or `1e9`; undefined when it is none. */
export function quantityBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d{1,2})?)([A-Za-z]{0,2})$/.exec(text);
  const factor = match && Object.hasOwn(FACTORS, match[2] as string) ? FACTORS[match[2] as string] : undefined;
  return match && factor !== undefined ? Number(match[1]) * factor : undefined;
}
