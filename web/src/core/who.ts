import type { WhoAmI } from "../api/types";
import { createStore } from "./store";

/** Whom the brain takes this key for; null until it has said so. */
export const whoStore = createStore<WhoAmI | null>(null);
