// One door to the API: the key on every call, every failure as one of two error types.

import { htmlLang } from "../core/i18n";
import { keyStore } from "../core/session";
import { createStore } from "../core/store";
import type {
  Bill,
  DryPlan,
  Explain,
  Grid,
  Page,
  Panorama,
  Problem,
  Scarcity,
  TaskBill,
  TaskView,
  WhoAmI,
} from "./types";
import type { CutFound, LinkHeld, NetworkNow, NetworkView } from "./network-types";
import type { ServiceAsk, ServiceLine, ServiceResult, ServiceView } from "./service-types";
import type { Share, Tenant } from "./tenants";
import type { WhatIfAsk, WhatIfView } from "./what-if-types";

/** The brain answered, and said no. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
  }
}

/** No answer came. */
export class OfflineError extends Error {}

/** True while the brain does not answer; the page shows a bar. */
export const offlineStore = createStore(false);
/** True once the brain has refused the key. */
export const keyRefusedStore = createStore(false);

export const BASE = "./v1";
type Query = Record<string, string | number | null | undefined>;

export function query(params: Query): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) return body as Problem;
  } catch {
    // not JSON: a proxy's page, say; its words are of no use to the reader
  }
  return { status: response.status, title: response.statusText };
}

export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = keyStore.get();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  headers.set("Accept-Language", htmlLang());
  let response: Response;
  try {
    response = await fetch(BASE + path, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    offlineStore.set(true);
    throw new OfflineError();
  }
  offlineStore.set(response.status === 502 || response.status === 504);
  if (response.ok) return response;
  if (response.status === 401) keyRefusedStore.set(true);
  throw new ApiError(response.status, await problemOf(response));
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await call(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

async function post<T>(path: string, body: string | null, type = "application/json", more: HeadersInit = {}): Promise<T> {
  const headers = new Headers(more);
  if (body !== null) headers.set("Content-Type", type);
  const response = await call(path, { method: "POST", headers, body });
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

async function put<T>(path: string, body: unknown): Promise<T> {
  const response = await call(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

const one = encodeURIComponent;

export interface Body {
  text: string;
  type: "application/json" | "application/yaml";
}

export const api = {
  whoami: () => get<WhoAmI>("/whoami"),
  grid: () => get<Grid>("/grid"),
  panorama: () => get<Panorama>("/panorama"),
  scarcity: () => get<Scarcity>("/scarcity"),
  tasks: (params: Query, signal?: AbortSignal) => get<Page<TaskView>>(`/tasks${query(params)}`, signal),
  explain: (id: string) => get<Explain>(`/tasks/${one(id)}/explain`),
  taskBill: (id: string) => get<TaskBill>(`/tasks/${one(id)}/bill`),
  cancel: (id: string) => post<TaskView>(`/tasks/${one(id)}/cancel`, null),
  plan: (body: Body) => post<DryPlan>("/plan", body.text, body.type),
  submit: (body: Body, idempotencyKey: string) =>
    post<TaskView>("/tasks", body.text, body.type, { "Idempotency-Key": idempotencyKey }),
  services: () => get<Page<ServiceLine>>("/services"),
  service: (id: string) => get<ServiceView>(`/services/${one(id)}`),
  planService: (id: string, ask: ServiceAsk) => post<DryPlan>(`/services/${one(id)}:plan`, JSON.stringify(ask)),
  runService: (id: string, ask: ServiceAsk, idempotencyKey: string) =>
    post<TaskView>(`/services/${one(id)}:run`, JSON.stringify(ask), "application/json", { "Idempotency-Key": idempotencyKey }),
  serviceResult: (taskId: string) => get<ServiceResult>(`/tasks/${one(taskId)}/service`),
  bill: (params: Query) => get<Bill>(`/bill${query(params)}`),
  shares: () => get<Page<Share>>("/shares"),
  tenants: () => get<Page<Tenant>>("/tenants"),
  setTenant: ({ id, ...limits }: Tenant) => put<Tenant>(`/tenants/${one(id)}`, limits),
  turnSite: (id: string, verb: "fail" | "heal") => post<unknown>(`/sites/${one(id)}:${verb}`, null),
  turnLink: (id: string, verb: "fail" | "heal") => post<unknown>(`/links/${one(id)}:${verb}`, null),
  network: () => get<NetworkNow>("/network"),
  networkPolicies: () => get<NetworkView>("/network/policies"),
  networkLink: (id: string) => get<LinkHeld>(`/network/links/${one(id)}`),
  networkCut: (links: readonly string[], risks: readonly string[]) => {
    const asked = [...links.map((id) => ["cut", id]), ...risks.map((id) => ["cut_risk", id])];
    return get<CutFound>(`/network/what-if?${new URLSearchParams(asked)}`);
  },
  whatIf: (ask: WhatIfAsk) => post<WhatIfView>("/what-if", JSON.stringify(ask)),
  whatIfRuns: () => get<Page<WhatIfView>>("/what-if"),
  whatIfRun: (id: string) => get<WhatIfView>(`/what-if/${one(id)}`),
  cancelWhatIf: (id: string) => call(`/what-if/${one(id)}`, { method: "DELETE" }),
  output: (id: string, path: string) => call(`/tasks/${one(id)}/outputs/${path.split("/").map(one).join("/")}`),
};
