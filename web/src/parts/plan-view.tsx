// A plan and why: figures, map, the walk, protection, data, the quote, the alternatives, the funnel of clauses.

import type { TaskRoute } from "../api/network-types";
import type { Plan, PlanReport } from "../api/types";
import { at, bytes, carbon, count, rate, span, yuan } from "../core/format";
import { siteName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { Emulated, Figure } from "./bits";
import { PathBox } from "./path-box";
import { Alternatives, Funnel, Relaxations } from "./plan-why";
import { Quote } from "./quote";
import { Route } from "./route";

interface PlanViewProps {
  grid: GridView;
  plan: Plan | null;
  report: PlanReport | null;
  moving: boolean;
  /** How its traffic goes, where the brain says so: of a plan that stands. */
  route?: TaskRoute | null;
}

export function PlanView({ grid, plan, report, moving, route = null }: PlanViewProps) {
  const alternatives = report?.alternatives.length ? report.alternatives : (plan?.alternatives ?? []);
  return (
    <div class="plan-view">
      {plan && <PlanFigures grid={grid} plan={plan} />}
      <div class="plan-cols">
        <PathBox grid={grid} plan={plan} alternatives={alternatives} moving={moving} route={route} />
        <div class="plan-side">
          {plan ? (
            <>
              <Walk grid={grid} plan={plan} />
              {route && <Route grid={grid} route={route} />}
              <Quoted grid={grid} plan={plan} />
              <Protection grid={grid} plan={plan} />
              <Standby grid={grid} plan={plan} />
              <DataMoves grid={grid} plan={plan} />
            </>
          ) : (
            report && <Relaxations grid={grid} relaxations={report.relaxations} />
          )}
        </div>
      </div>
      {plan && <Quote lines={plan.quote} total={plan.quote_micro_yuan} grid={grid} emulated={plan.emulated} />}
      <div class="plan-why">
        <Alternatives grid={grid} plan={plan} alternatives={alternatives} />
        {report && <Funnel clauses={report.clauses} all={grid.pools.size} />}
      </div>
    </div>
  );
}

function PlanFigures({ grid, plan }: { grid: GridView; plan: Plan }) {
  return (
    <div class="figures">
      <Figure label={t("ui.plan.place")} value={siteName(grid, plan.site)} note={<>{plan.pool.split("/")[1]} <Emulated show={plan.emulated} /></>} />
      <Figure label={t("ui.plan.quote")} value={yuan(plan.quote_micro_yuan)} note={t("ui.plan.quote_note")} />
      <Figure label={t("ui.plan.latency")} value={span(plan.path.latency_us)} note={t("ui.plan.one_way")} />
      <Figure label={t("ui.plan.start")} value={at(plan.run_start_us)} note={plan.run_start_us > plan.start_us ? t("ui.plan.data_first", { span: span(plan.run_start_us - plan.start_us) }) : " "} />
      <Figure label={t("ui.plan.end")} value={at(plan.end_us)} note={t("ui.plan.at_the_latest")} />
      <Figure label={t("ui.plan.carbon")} value={carbon(plan.carbon_mg)} note=" " />
    </div>
  );
}

function Walk({ grid, plan }: { grid: GridView; plan: Plan }) {
  return (
    <div>
      <h3>
        {t("ui.plan.path")}
        <span class="muted num">
          {" "}
          {t("ui.plan.hops", { count: plan.path.links.length })} · {span(plan.path.latency_us)}
          {plan.bandwidth_bps > 0 && ` · ${rate(plan.bandwidth_bps)}`}
        </span>
      </h3>
      {plan.path.links.length === 0 && <p class="muted">{t("ui.plan.path_none")}</p>}
      <ol class="walk">
        {plan.path.sites.map((id, index) => {
          const link = index > 0 ? grid.links.get(plan.path.links[index - 1]?.link ?? "") : undefined;
          return (
            <li>
              {link && (
                <span class="hop num">
                  <i class={`ln ln-${link.kind}`} />
                  {t(`ui.link.${link.kind}`)} · {count(link.length_km)} km · {span(link.latency_us)}
                </span>
              )}
              <b>{siteName(grid, id)}</b>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Protection({ grid, plan }: { grid: GridView; plan: Plan }) {
  if (!plan.protection.length) return null;
  return (
    <div>
      <h3>{t("ui.plan.protection")}</h3>
      <ol class="steps">
        {plan.protection.map((step) => (
          <li>
            <b>{word("ui.protection", step.function)}</b> <span class="muted">{siteName(grid, step.site)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Quoted({ grid, plan }: { grid: GridView; plan: Plan }) {
  if (!plan.quoted) return null;
  return <p class="warn-text">{t("ui.plan.quoted", { path: plan.quoted.path.sites.map((id) => siteName(grid, id)).join(" → ") })}</p>;
}

function Standby({ grid, plan }: { grid: GridView; plan: Plan }) {
  const place = plan.standby;
  if (!place) return plan.took_over ? <p class="muted">{t("ui.plan.took_over")}</p> : null;
  return (
    <div class="standby">
      <h3>
        {t("ui.plan.standby")}
        <span class="muted num">
          {" "}
          {t("ui.plan.hops", { count: place.path.links.length })} · {span(place.path.latency_us)}
        </span>
      </h3>
      <p>
        <b>{siteName(grid, place.site)}</b> <span class="muted">{place.pool.split("/")[1]}</span> <Emulated show={place.emulated} />
      </p>
      <p class="muted">{place.path.sites.map((id) => siteName(grid, id)).join(" → ")}</p>
      <p class="muted">{plan.took_over ? t("ui.plan.took_over") : t("ui.plan.standby_note")}</p>
    </div>
  );
}

function DataMoves({ grid, plan }: { grid: GridView; plan: Plan }) {
  if (!plan.data.length) return null;
  return (
    <div>
      <h3>{t("ui.plan.data")}</h3>
      <ul class="moves">
        {plan.data.map((move) => (
          <li>
            <b>{move.data_set}</b> <span class="muted num">v{move.version} · {bytes(move.size_bytes)}</span>
            <div class="muted num">
              {move.path.links.length === 0
                ? t("ui.plan.data_here", { site: siteName(grid, move.replica) })
                : t("ui.plan.data_from", { site: siteName(grid, move.replica), rate: rate(move.rate_bps), span: span(move.end_us - move.start_us) })}
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
