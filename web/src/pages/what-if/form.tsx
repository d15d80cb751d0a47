// The form: which day, and what changes.

import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { Panel } from "../../parts/bits";
import { Picker, type Named } from "../../parts/picker";
import { isWhole, type DayKind, type Draft } from "./draft";

interface FormProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  grid: GridView | null;
  busy: boolean;
  play: () => void;
}

const KINDS: readonly DayKind[] = ["history", "drawn", "trace"];
const PREFERENCES = ["cheapest", "fastest", "greenest"] as const;

export function WhatIfForm({ draft, change, grid, busy, play }: FormProps) {
  const sites = grid ? grid.grid.sites.filter((one) => one.pools.length).map((one) => ({ id: one.id, name: siteName(grid, one.id) })) : [];
  const links = grid ? grid.grid.links.map((one) => ({ id: one.id, name: `${siteName(grid, one.a)} – ${siteName(grid, one.b)}` })) : [];
  return (
    <Panel title={t("ui.what_if.form")} class="form">
      <form
        class="what-if-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy && isWhole(draft)) play();
        }}
      >
        <div class="what-if-scroll">
          <Day draft={draft} change={change} />
          <h3>{t("ui.what_if.changes")}</h3>
          <div class="fields">
            <Picker label={t("ui.what_if.without")} known={sites} chosen={draft.without} onChange={(without) => change({ without })} name="without" />
            <Picker label={t("ui.what_if.cut")} known={links} chosen={draft.cut} onChange={(cut) => change({ cut })} name="cut" />
            <Prices draft={draft} change={change} sites={sites} />
            <Factor label={t("ui.what_if.all_prices")} value={draft.allPrices} onChange={(allPrices) => change({ allPrices })} name="all-prices" />
            <Factor label={t("ui.what_if.load")} value={draft.load} onChange={(load) => change({ load })} name="load" />
            <label class="field wide">
              <span>{t("ui.what_if.preference")}</span>
              <select name="preference" value={draft.preference} onChange={(event) => change({ preference: event.currentTarget.value as Draft["preference"] })}>
                <option value="">{t("ui.what_if.as_asked")}</option>
                {PREFERENCES.map((one) => (
                  <option value={one}>{word("preference", one)}</option>
                ))}
              </select>
            </label>
          </div>
          <h3>{t("ui.what_if.size")}</h3>
          <div class="fields">
            <label class="field">
              <span>{t("ui.what_if.sample")}</span>
              <input type="number" min="1" name="sample" value={draft.sample} placeholder={t("ui.what_if.all_tasks")} onInput={(event) => change({ sample: event.currentTarget.value })} />
            </label>
            <label class="field">
              <span>{t("ui.what_if.seed")}</span>
              <input type="number" min="0" name="seed" value={draft.seed} placeholder={t("ui.what_if.any_seed")} onInput={(event) => change({ seed: event.currentTarget.value })} />
            </label>
          </div>
          <p class="muted what-if-hint">{t("ui.what_if.more")}</p>
        </div>
        <div class="form-end">
          <button type="submit" class="primary" disabled={busy || !isWhole(draft)}>
            {t("ui.what_if.play")}
          </button>
        </div>
      </form>
    </Panel>
  );
}

type Part = Pick<FormProps, "draft" | "change">;

function Day({ draft, change }: Part) {
  return (
    <>
      <h3>{t("ui.what_if.day")}</h3>
      <div class="tabs" role="group" aria-label={t("ui.what_if.day")}>
        {KINDS.map((one) => (
          <button type="button" aria-pressed={one === draft.kind} class={one === draft.kind ? "on" : ""} onClick={() => change({ kind: one })}>
            {t(`ui.what_if.day.${one}`)}
          </button>
        ))}
      </div>
      {draft.kind === "history" && (
        <label class="field">
          <span>{t("ui.what_if.date")}</span>
          <input type="date" name="history" value={draft.history} onInput={(event) => change({ history: event.currentTarget.value })} />
        </label>
      )}
      {draft.kind === "drawn" && (
        <label class="field">
          <span>{t("ui.what_if.drawn")}</span>
          <input type="number" min="1" max="10000" name="drawn" value={draft.drawn} onInput={(event) => change({ drawn: event.currentTarget.value })} />
        </label>
      )}
      {draft.kind === "trace" && (
        <label class="field">
          <span>{t("ui.what_if.file")}</span>
          <input
            type="file"
            name="trace"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (!file) change({ file: null });
              else void file.text().then((text) => change({ file: { name: file.name, text } }));
            }}
          />
        </label>
      )}
      <p class="muted what-if-hint">{t(`ui.what_if.hint.${draft.kind}`)}</p>
    </>
  );
}

function Prices({ draft, change, sites }: Part & { sites: readonly Named[] }) {
  const set = (at: number, part: Partial<Draft["prices"][number]>): void =>
    change({ prices: draft.prices.map((one, place) => (place === at ? { ...one, ...part } : one)) });
  return (
    <div class="field wide">
      <span>{t("ui.what_if.site_prices")}</span>
      {draft.prices.map((one, at) => (
        <div class="price-row">
          <select aria-label={t("ui.what_if.site")} value={one.site} onChange={(event) => set(at, { site: event.currentTarget.value })}>
            <option value="">{t("ui.what_if.site")}</option>
            {sites.map((site) => (
              <option value={site.id}>{site.name}</option>
            ))}
          </select>
          <input type="number" min="0.01" max="1000" step="0.01" aria-label={t("ui.what_if.factor")} placeholder="0.8" value={one.factor} onInput={(event) => set(at, { factor: event.currentTarget.value })} />
          <button type="button" class="quiet" aria-label={t("ui.what_if.drop", { name: one.site })} onClick={() => change({ prices: draft.prices.filter((_, place) => place !== at) })}>
            ×
          </button>
        </div>
      ))}
      <button type="button" class="quiet add-price" onClick={() => change({ prices: [...draft.prices, { site: "", factor: "" }] })}>
        {t("ui.what_if.add_price")}
      </button>
    </div>
  );
}

function Factor({ label, value, onChange, name }: { label: string; value: string; onChange: (value: string) => void; name: string }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input type="number" min="0.01" max="1000" step="0.01" name={name} value={value} placeholder="1" onInput={(event) => onChange(event.currentTarget.value)} />
    </label>
  );
}
