// The fields of a service's form, made of its schema; and of the task what most people say.

import type { ServiceParameter } from "../../api/service-types";
import { siteName, type GridView } from "../../core/grid";
import { t, told } from "../../core/i18n";
import { Group } from "../new/fields";

export interface ParameterProps {
  parameter: ServiceParameter;
  value: string;
  change: (text: string) => void;
}

/** The range in signs: `8 … 1024 km`. */
function range({ minimum, maximum, unit }: ServiceParameter): string {
  return minimum === null || maximum === null ? unit : `${minimum} … ${maximum}${unit ? ` ${unit}` : ""}`;
}

/** Whether the brain would take it; it says so in full where it does not. */
function fits({ type, minimum, maximum }: ServiceParameter, text: string): boolean {
  if (type !== "integer" && type !== "number") return true;
  const number = Number(text);
  const whole = type === "number" || Number.isInteger(number);
  return text.trim() !== "" && Number.isFinite(number) && whole && number >= (minimum ?? -Infinity) && number <= (maximum ?? Infinity);
}

export function ParameterField({ parameter, value, change }: ParameterProps) {
  const label = told(parameter.title);
  if (parameter.type === "boolean") {
    return (
      <label class="field check">
        <input type="checkbox" name={parameter.name} checked={value === "true"} onChange={(event) => change(String(event.currentTarget.checked))} /> {label}
      </label>
    );
  }
  if (parameter.choices.length > 0) {
    return (
      <label class="field">
        <span>{label}</span>
        <select name={parameter.name} value={value} onChange={(event) => change(event.currentTarget.value)}>
          {parameter.choices.map((one) => (
            <option value={one}>{one}</option>
          ))}
        </select>
        <small class="muted">{parameter.name}</small>
      </label>
    );
  }
  return (
    <label class="field">
      <span>{label}</span>
      <input name={parameter.name} value={value} autocomplete="off" spellcheck={false} inputMode={parameter.type === "string" ? "text" : "decimal"} aria-invalid={!fits(parameter, value)} onInput={(event) => change(event.currentTarget.value)} />
      <small class="muted">
        {parameter.name} {range(parameter)}
      </small>
    </label>
  );
}

export interface Wishes {
  origin: string;
  latency: string;
  preference: string;
  priceLimit: string;
}

/** Fields of the task, as a task file says them; those that are empty are left to the service. */
export function wishesOf(wishes: Wishes): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (wishes.origin) out.origin = wishes.origin;
  if (wishes.latency) out.latency = wishes.latency;
  if (wishes.preference) out.preference = wishes.preference;
  const limit = wishes.priceLimit.trim();
  if (limit) out.price_limit = /^[\d.]+$/.test(limit) ? `${limit} yuan` : limit;
  return out;
}

interface WishProps {
  wishes: Wishes;
  grid: GridView | null;
  change: (part: Partial<Wishes>) => void;
}

export function WishFields({ wishes, grid, change }: WishProps) {
  const sites = grid ? [...grid.sites.keys()] : [];
  return (
    <Group title={t("ui.service.wishes")} open>
      <label class="field">
        <span>{t("ui.field.origin")}</span>
        <select name="origin" value={wishes.origin} onChange={(event) => change({ origin: event.currentTarget.value })}>
          <option value="">{t("ui.service.usual")}</option>
          {sites.map((id) => (
            <option value={id}>{siteName(grid, id)}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("ui.field.latency")}</span>
        <select name="latency" value={wishes.latency} onChange={(event) => change({ latency: event.currentTarget.value })}>
          <option value="">{t("ui.service.usual")}</option>
          {(["national", "provincial", "metro"] as const).map((one) => (
            <option value={one}>{t(`ui.circle.${one}`)}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("ui.field.preference")}</span>
        <select name="preference" value={wishes.preference} onChange={(event) => change({ preference: event.currentTarget.value })}>
          <option value="">{t("ui.service.usual")}</option>
          {(["cheapest", "fastest", "greenest"] as const).map((one) => (
            <option value={one}>{t(`ui.preference.${one}`)}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("ui.field.price_limit")}</span>
        <input name="priceLimit" value={wishes.priceLimit} placeholder="12.5" autocomplete="off" onInput={(event) => change({ priceLimit: event.currentTarget.value })} />
      </label>
    </Group>
  );
}
