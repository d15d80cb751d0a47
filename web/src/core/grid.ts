// The grid, fetched once for all pages, with its look-ups.

import { api } from "../api/client";
import type { Grid, Link, Pool, PriceBook, SecurityPool, Site } from "../api/types";
import { langStore } from "./i18n";
import { createStore } from "./store";

export interface GridView {
  grid: Grid;
  sites: Map<string, Site>;
  links: Map<string, Link>;
  pools: Map<string, { pool: Pool; site: Site }>;
  securityPools: Map<string, { pool: SecurityPool; site: Site }>;
  books: Map<string, PriceBook>;
}

export function viewGrid(grid: Grid): GridView {
  return {
    grid,
    sites: new Map(grid.sites.map((site) => [site.id, site])),
    links: new Map(grid.links.map((link) => [link.id, link])),
    pools: new Map(grid.sites.flatMap((site) => site.pools.map((pool) => [pool.id, { pool, site }]))),
    securityPools: new Map(grid.sites.flatMap((site) => site.security_pools.map((pool) => [pool.id, { pool, site }]))),
    books: new Map(grid.price_books.map((book) => [book.id, book])),
  };
}

export const gridStore = createStore<GridView | null>(null);
let pending: Promise<void> | null = null;

/** Fetch the grid unless it is there or on its way. */
export function needGrid(): Promise<void> {
  if (gridStore.get()) return Promise.resolve();
  pending ??= api
    .grid()
    .then((grid) => gridStore.set(viewGrid(grid)))
    .finally(() => {
      pending = null;
    });
  return pending;
}

/** A site's name in the page's language; its id where the grid does not know it. */
export function siteName(view: GridView | null, id: string | null): string {
  if (!id) return "–";
  const site = view?.sites.get(id);
  if (!site) return id;
  const lang = langStore.get();
  return lang === "en" ? site.names.en : lang === "zh-hant" ? site.names.zh_hant : site.names.zh_hans;
}

/** "Gui'an hub · ai" of a pool id "<site>/<pool>". */
export function poolName(view: GridView | null, id: string): string {
  const [site = "", pool = ""] = id.split("/");
  return `${siteName(view, site)} · ${pool}`;
}
