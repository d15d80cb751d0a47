/** What became of the path of a running task: what was seen, and what was done. */
export interface PathStep {
  at_us: number;
  kind: "repaired" | "broken" | "restored";
  cause: {
    kind: "cut" | "delay" | "loss" | "down";
    measured_us: number;
    promised_us: number;
    lost_permille: number;
    avoid: string[];
    observed_at_us: number;
  } | null;
  plan_id: string;
  sites: string[];
  latency_us: number | null;
}
