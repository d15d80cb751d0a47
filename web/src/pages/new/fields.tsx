// The fields of the form.

import type { ComponentChildren } from "preact";
import type { ProtectionFunction } from "../../api/types";
import { siteName, type GridView } from "../../core/grid";
import { t, word, type UiKey } from "../../core/i18n";
import type { Draft, Pair } from "./draft";

export interface FormProps {
  draft: Draft;
  grid: GridView | null;
  change: (part: Partial<Draft>) => void;
}

type TextField = { [K in keyof Draft]: Draft[K] extends string ? K : never }[keyof Draft];

interface TextProps extends FormProps {
  field: TextField;
  label: UiKey;
  hint?: string;
  type?: "text" | "datetime-local";
  list?: string;
  class?: string;
}

export function Text({ draft, change, field, label, hint, type, list, class: klass }: TextProps) {
  return (
    <label class={`field ${klass ?? ""}`}>
      <span>{t(label)}</span>
      <input
        type={(type ?? "text") as "text"}
        value={draft[field]}
        placeholder={hint ?? ""}
        list={list}
        name={field}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change({ [field]: event.currentTarget.value } as Partial<Draft>)}
      />
    </label>
  );
}

interface ChoiceProps extends FormProps {
  field: TextField;
  label: UiKey;
  options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ draft, change, field, label, options }: ChoiceProps) {
  return (
    <label class="field">
      <span>{t(label)}</span>
      <select name={field} value={draft[field]} onChange={(event) => change({ [field]: event.currentTarget.value } as Partial<Draft>)}>
        {options.map(([value, text]) => (
          <option value={value}>{text}</option>
        ))}
      </select>
    </label>
  );
}

export function Group({ title, open, children }: { title: string; open?: boolean; children: ComponentChildren }) {
  return (
    <details class="group" open={open ?? false}>
      <summary>{title}</summary>
      <div class="group-body">{children}</div>
    </details>
  );
}

interface PairsProps extends FormProps {
  field: "tags" | "togetherWith" | "apartFrom" | "environment" | "secrets" | "inputs" | "outputs";
  label: UiKey;
  nameHint: string;
  valueHint: string;
  hidden?: boolean;
}

/** Rows of two texts; an empty row at the end is always there to type in. */
export function Pairs({ draft, change, field, label, nameHint, valueHint, hidden }: PairsProps) {
  const rows: Pair[] = [...draft[field], { name: "", value: "" }];
  const set = (index: number, part: Partial<Pair>): void => {
    const next = rows.map((row, i) => (i === index ? { ...row, ...part } : row)).filter((row) => row.name !== "" || row.value !== "");
    change({ [field]: next } as Partial<Draft>);
  };
  return (
    <fieldset class="field wide pairs">
      <legend>{t(label)}</legend>
      {rows.map((row, index) => (
        <div key={index}>
          <input aria-label={nameHint} placeholder={nameHint} value={row.name} spellcheck={false} onInput={(event) => set(index, { name: event.currentTarget.value })} />
          <input
            aria-label={valueHint}
            type={(hidden ? "password" : "text") as "text"}
            autocomplete="off"
            placeholder={valueHint}
            value={row.value}
            spellcheck={false}
            onInput={(event) => set(index, { value: event.currentTarget.value })}
          />
        </div>
      ))}
    </fieldset>
  );
}

const FUNCTIONS: ProtectionFunction[] = ["firewall", "ids", "encryption", "scrubbing"];

/** Functions in the order in which they were chosen: the order in which traffic passes them. */
export function ProtectionPick({ draft, change }: FormProps) {
  const toggle = (one: ProtectionFunction): void =>
    change({ protection: draft.protection.includes(one) ? draft.protection.filter((name) => name !== one) : [...draft.protection, one] });
  return (
    <fieldset class="field wide">
      <legend>{t("ui.field.protection")}</legend>
      <div class="pick">
        {FUNCTIONS.map((one) => {
          const place = draft.protection.indexOf(one);
          return (
            <button type="button" aria-pressed={place >= 0} class={place >= 0 ? "on" : ""} onClick={() => toggle(one)}>
              {place >= 0 && <b class="num">{place + 1}</b>} {word("ui.protection", one)}
            </button>
          );
        })}
      </div>
    </fieldset>
  );
}

/** Origins to choose from: a list that filters as one types, by name or id. */
export function OriginField({ draft, grid, change }: FormProps) {
  const known = draft.origin === "" ? null : grid?.sites.get(draft.origin);
  return (
    <label class="field">
      <span>{t("ui.field.origin")}</span>
      <input
        name="origin"
        list="origins"
        value={draft.origin}
        placeholder={grid ? siteName(grid, grid.grid.default_origin) : ""}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change({ origin: event.currentTarget.value.trim() })}
      />
      <small class="muted">{known ? siteName(grid, draft.origin) : draft.origin && grid ? t("ui.new.origin_unknown") : t("ui.new.origin_default")}</small>
      <datalist id="origins">
        {grid?.grid.sites.map((site) => (
          <option value={site.id}>{siteName(grid, site.id)}</option>
        ))}
      </datalist>
    </label>
  );
}
