// Small things that every page uses: chips, badges, figures, bars, panels.

import type { ComponentChildren } from "preact";
import type { Phase, PoolKind } from "../api/types";
import { t, word } from "../core/i18n";

export function PhaseChip({ phase }: { phase: Phase }) {
  return (
    <span class={`chip phase-${phase}`}>
      <i aria-hidden="true" />
      {word("phase", phase)}
    </span>
  );
}

export function KindMark({ kind }: { kind: PoolKind }) {
  return <span class={`kind kind-${kind}`}>{t(`ui.kind.${kind}`)}</span>;
}

/** The work of this site, plan or bill runs on a stand-in host. */
export function Emulated({ show }: { show: boolean }) {
  return show ? (
    <span class="emulated" title={t("ui.emulated.help")}>
      {t("ui.emulated")}
    </span>
  ) : null;
}

interface PanelProps {
  title: ComponentChildren;
  side?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  id?: string;
}

export function Panel(props: PanelProps) {
  return (
    <section class={`panel ${props.class ?? ""}`} id={props.id}>
      <header>
        <h2>{props.title}</h2>
        {props.side && <div class="side">{props.side}</div>}
      </header>
      <div class="body">{props.children}</div>
    </section>
  );
}

export function Figure({ label, value, unit, note, tone }: { label: string; value: ComponentChildren; unit?: string; note?: ComponentChildren; tone?: "good" | "bad" | "warn" }) {
  return (
    <div class={`figure ${tone ?? ""}`}>
      <span class="figure-label">{label}</span>
      <span class="figure-value num">
        {value}
        {unit && <small>{unit}</small>}
      </span>
      <span class="figure-note">{note}</span>
    </div>
  );
}

/** A share of 1000, as a bar. An SVG, because a width in a style attribute is an inline style. */
export function Bar({ permille, tone = "accent", label }: { permille: number; tone?: string; label?: string }) {
  const width = Math.max(0, Math.min(1000, permille));
  return (
    <svg class={`bar bar-${tone}`} viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label={label ?? `${width / 10} %`}>
      <rect class="bar-ground" width="1000" height="10" />
      <rect class="bar-value" width={width > 0 ? Math.max(width, 6) : 0} height="10" />
    </svg>
  );
}

export function loadTone(permille: number): string {
  return permille >= 850 ? "warn" : permille >= 500 ? "good" : "accent";
}

export function Row({ name, children }: { name: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="row">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
