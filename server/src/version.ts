/**
 * The version of the reference whose protocol we speak. Clients and Java members compare it, so it is not our own
 * (spec/cluster.md 1.8: exactly `x.y.z`).
 */
export const VERSION = '1.4.8';
