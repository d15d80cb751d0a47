// The network as it is, read again and again while the page is open and seen.

import { useEffect, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { LinkNow, LinkUse, NetworkNow, NetworkReport } from "../../api/network-types";
import { siteName, type GridView } from "../../core/grid";
import { useStore } from "../../core/store";
import { whoStore } from "../../core/who";
import type { Side } from "../../map/network-map";

const EVERY_MS = 4_000;

export interface Live {
  now: NetworkNow | null;
  error: Error | null;
  /** What network agents said last; null: this key may not read it. */
  reports: NetworkReport[] | null;
  again: () => void;
}

export function useLive(): Live {
  const operator = useStore(whoStore)?.role === "operator";
  const [now, setNow] = useState<NetworkNow | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [reports, setReports] = useState<NetworkReport[] | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let over = false;
    let timer = 0;
    const read = async (): Promise<void> => {
      try {
        const [seen, told] = await Promise.all([api.network(), operator ? api.networkPolicies() : null]);
        if (over) return;
        setNow(seen);
        setReports(told?.reports ?? null);
        setError(null);
      } catch (problem) {
        if (!over) setError(problem as Error);
      }
      if (!over) timer = window.setTimeout(() => void next(), EVERY_MS);
    };
    const next = async (): Promise<void> => {
      if (document.visibilityState === "visible") return read();
      timer = window.setTimeout(() => void next(), EVERY_MS);
    };
    void read();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [operator, turn]);
  return { now, error, reports, again: () => setTurn((old) => old + 1) };
}

/** What each direction carries, by the newest report that names it. */
export function carriedBy(reports: readonly NetworkReport[] | null): Map<string, LinkUse> {
  const sorted = [...(reports ?? [])].filter((one) => one.measured_at_us > 0).sort((a, b) => a.measured_at_us - b.measured_at_us);
  return new Map(sorted.flatMap((one) => one.links.map((use): [string, LinkUse] => [use.link, use])));
}

export const peak = (link: LinkNow): number => Math.max(link.ab.use_ppm, link.ba.use_ppm);

export const linkName = (grid: GridView, link: { a: string; b: string }): string => `${siteName(grid, link.a)} – ${siteName(grid, link.b)}`;

/** "A → B" of `<link>:ab`. */
export function directionName(grid: GridView, directed: string): string {
  const [id = "", side] = directed.split(":") as [string, Side];
  const link = grid.links.get(id);
  if (!link) return directed;
  const ends = side === "ab" ? [link.a, link.b] : [link.b, link.a];
  return ends.map((one) => siteName(grid, one)).join(" → ");
}

/** The sites of a walk over directed links. */
export function walkSites(grid: GridView, links: readonly string[], start: string): string[] {
  const ends = links.map((directed) => {
    const [id = "", side] = directed.split(":");
    const link = grid.links.get(id);
    return link ? (side === "ab" ? link.b : link.a) : id;
  });
  return [start, ...ends];
}
