/**
 * What our programs start Node with. Most of what they make lives for one request, and with 256 of them under way 8 MB
 * of young space are swept so often that publishes cost a twentieth more. What Node takes by itself (up to 64 MB of it
 * stay) makes them no faster, and a held poll 5 KB larger: `npm run bench` shows both.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=16'];
