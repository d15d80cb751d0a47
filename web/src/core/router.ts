// Routes live in the fragment, so the server needs no catch-all: #/tasks/<id>?tab=logs

import { createStore } from "./store";

export interface Route {
  page: string; // the first part: "", "tasks", "new", "bill", "tenants", "grid", "network", "services", "what-if"
  id: string | null;
  query: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/");
  const id = rest.length && rest[0] ? decodeURIComponent(rest.join("/")) : null;
  return { page, id, query: new URLSearchParams(search) };
}

export const routeStore = createStore<Route>(parseRoute(""));

export function startRouter(): void {
  const take = (): void => {
    routeStore.set(parseRoute(location.hash));
    window.scrollTo(0, 0);
  };
  window.addEventListener("hashchange", take);
  take();
}

export function go(path: string): void {
  location.hash = path;
}

export const linkHref = (id: string): string => `#/network?link=${encodeURIComponent(id)}`;
export const serviceHref = (id: string): string => `#/services/${encodeURIComponent(id)}`;
export const taskHref = (id: string): string => `#/tasks/${encodeURIComponent(id)}`;
