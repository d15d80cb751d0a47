// Services, as stated in src/suanwang/model/service.py.

export interface Told {
  en: string;
  zh_hant: string;
  zh_hans: string;
}

export const SERVICE_GROUPS = ["backup", "rendering", "astronomy", "life-science", "ai", "hpc", "quantum", "video", "gis", "big-data", "security", "delivery"] as const;
export type ServiceGroup = (typeof SERVICE_GROUPS)[number];
export type Scalar = boolean | number | string;

export interface ServiceLine {
  id: string;
  group: ServiceGroup;
  name: Told;
  about: Told;
}

export interface ServiceParameter {
  name: string;
  title: Told;
  type: "integer" | "number" | "string" | "boolean";
  default: Scalar;
  minimum: number | null;
  maximum: number | null;
  choices: string[];
  unit: string;
}

export interface Expected {
  figure: string;
  at_least: number | string | null;
  at_most: number | string | null;
  equals: Scalar | null;
  says: Told;
  at_defaults?: Record<string, Scalar>;
}

export interface ServiceView extends ServiceLine {
  parameters: ServiceParameter[];
  relations: string[];
  expected: Expected[];
  needs: string[];
  circuit: boolean;
  example: string | null;
}

export interface ServiceAsk {
  parameters: Record<string, unknown>;
  task: Record<string, unknown>;
}

export interface Verdict extends Expected {
  got: Scalar | null;
  ok: boolean;
}

export interface ServiceResult {
  task_id: string;
  service: string;
  parameters: Record<string, Scalar>;
  ok: boolean;
  figures: Record<string, unknown>;
  verdicts: Verdict[];
  elements: number;
  array: number;
  phase: string;
}
