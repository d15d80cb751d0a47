// The stream's fold, apart from the map so that it costs no ECharts.

import type { Panorama } from "../api/types";

const merge = <T extends { id: string }>(old: T[], fresh: T[]): T[] => {
  const byId = new Map(old.map((one) => [one.id, one]));
  for (const one of fresh) byId.set(one.id, one);
  return [...byId.values()];
};

/** Fold one message of the stream into what is known: listed items replace those of the same id. */
export function foldPanorama(before: Panorama | null, next: Panorama): Panorama {
  if (!before) return next;
  return {
    ...next,
    sites: merge(before.sites, next.sites),
    links: merge(before.links, next.links),
    security_pools: merge(before.security_pools, next.security_pools),
  };
}
