/**
 * What our programs start Node with. Most of what they make lives for one request; the young space that Node takes by
 * itself (up to 64 MB of it stay) makes them no faster, and a held poll 5 KB larger: `npm run bench` shows both. The old
 * space may grow by 30 % before it is swept, where V8 would let it grow to several times what is alive: with 100,000
 * instances beating that is 80 MB instead of 250, at the same CPU.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8', '--heap-growing-percent=30'];
