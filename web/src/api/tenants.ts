// Tenants as the API tells of them: what they have, and their limits.

/** Of cores or accelerators. */
export interface Quota {
  limit: number;
  live: number;
  held: number;
  borrowed: number;
  borrowed_max: number;
  lent: number;
  lent_max: number;
}

export interface Share {
  tenant: string;
  name: string;
  parent: string | null;
  weight: number;
  share_ppm: number;
  resource: string | null;
  live_tasks: number;
  live_tasks_max: number;
  cores: Quota;
  accelerators: Quota;
  budget_micro_yuan: number | null;
  spent_micro_yuan: number;
  waiting: number;
  turn: boolean;
}

/** All limits of a tenant, as PUT takes them (without the id). */
export interface Tenant {
  id: string;
  name: string;
  budget_micro_yuan: number | null;
  live_tasks_max: number;
  cores_max: number;
  accelerators_max: number;
  priority_max: number;
  security_level_max: number;
  parent: string | null;
  weight: number;
  cores_borrowed_max: number;
  accelerators_borrowed_max: number;
  cores_lent_max: number;
  accelerators_lent_max: number;
}
