// The tenants in the order of their tree, and the parts of a quota's bar. Pure.

import type { Quota, Share } from "../../api/tenants";

/** A limit this high is none: the default of a tenant. */
export const NO_LIMIT = 1_000_000_000;

export interface InTree {
  share: Share;
  depth: number;
}

/** Each tenant behind its parent, siblings by name: rows that change places under the eye cannot be read. */
export function inTree(shares: readonly Share[]): InTree[] {
  const known = new Set(shares.map((one) => one.tenant));
  const below = new Map<string, Share[]>();
  for (const one of shares) {
    const parent = one.parent !== null && known.has(one.parent) ? one.parent : "";
    below.set(parent, [...(below.get(parent) ?? []), one]);
  }
  const out: InTree[] = [];
  const add = (parent: string, depth: number): void => {
    const children = [...(below.get(parent) ?? [])];
    children.sort((a, b) => a.name.localeCompare(b.name));
    for (const share of children) {
      out.push({ share, depth });
      add(share.tenant, depth + 1);
    }
  };
  add("", 0);
  return out;
}

/** Lengths out of 1000: the quota ends at `end`, what is borrowed lies beyond it. Null where there is no quota. */
export function quotaParts(quota: Quota): { end: number; own: number; borrowed: number; lent: number } | null {
  if (quota.limit >= NO_LIMIT) return null;
  const whole = Math.max(1, quota.limit + quota.borrowed);
  const part = (value: number): number => (value * 1000) / whole;
  return { end: part(quota.limit), own: part(Math.min(quota.held, quota.limit)), borrowed: part(quota.borrowed), lent: part(quota.lent) };
}
