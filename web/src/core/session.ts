// The key: from the URL's fragment (#key=sw_…), kept for this tab only, and never left in the address bar.

import { createStore } from "./store";

const STORED = "suanwang.key";

export const keyStore = createStore<string | null>(null);

/** Take the key out of the fragment; what else the fragment says stays. */
export function takeKey(hash: string): { key: string | null; rest: string } {
  const match = /(?:^#|[#&?])key=([^&]+)/.exec(hash);
  if (!match) return { key: null, rest: hash };
  const rest = hash.replace(match[0], "").replace(/^#?&?/, "");
  return { key: decodeURIComponent(match[1] as string), rest: rest ? `#${rest}` : "#/" };
}

export function startSession(): void {
  const { key, rest } = takeKey(location.hash);
  if (key) {
    sessionStorage.setItem(STORED, key);
    history.replaceState(null, "", rest);
  }
  keyStore.set(sessionStorage.getItem(STORED));
}

export function setKey(key: string | null): void {
  if (key) sessionStorage.setItem(STORED, key);
  else sessionStorage.removeItem(STORED);
  keyStore.set(key);
}
