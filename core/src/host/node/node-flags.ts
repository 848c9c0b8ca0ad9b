/**
 * What our programs start Node with. Most of what they make lives for one request; the young space that Node takes by
 * itself (up to 64 MB of it stay) makes them no faster, and a held poll 5 KB larger: `npm run bench` shows both.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8'];
