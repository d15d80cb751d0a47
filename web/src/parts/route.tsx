// How a task's traffic goes: the segments in order, the standby way, and what was promised beside what is measured.

import type { RouteStep, RouteWay, TaskRoute } from "../api/network-types";
import { nowUs } from "../core/clock";
import { ago, NONE, percent, span } from "../core/format";
import { siteName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { Row } from "./bits";

export function Route({ grid, route }: { grid: GridView; route: TaskRoute }) {
  let first = 1;
  return (
    <div class="route">
      <h3>
        {t("ui.route.title")} <span class="muted">{route.live ? t("ui.route.live") : t("ui.route.planned")}</span>
      </h3>
      {route.policies.map((policy) => {
        const from = first;
        first += policy.ways.find((one) => !one.standby)?.steps.length ?? 0;
        return (
          <div class="route-policy">
            <p class="muted">{t("ui.route.policy", { headend: siteName(grid, policy.headend), endpoint: siteName(grid, policy.endpoint), color: policy.color })}</p>
            {policy.ways.map((way) => (
              <Way grid={grid} way={way} first={way.standby ? 1 : from} />
            ))}
          </div>
        );
      })}
      <Kept route={route} />
    </div>
  );
}

function Way({ grid, way, first }: { grid: GridView; way: RouteWay; first: number }) {
  return (
    <>
      <p>
        <i class={`ln ${way.standby ? "ln-spare" : "ln-path"}`} aria-hidden="true" />
        <b>{way.standby ? t("ui.route.standby") : t("ui.route.way")}</b>{" "}
        <span class="muted num">
          {t("ui.route.hops", { count: way.steps.reduce((sum, one) => sum + one.links.length, 0) })} · {span(way.latency_us)}
        </span>
      </p>
      <ol class={`route-steps ${way.standby ? "standby" : ""}`} start={first}>
        {way.steps.map((step, at) => (
          <li>
            <span class="route-n num" aria-hidden="true">
              {first + at}
            </span>
            <span>{stepText(grid, step)}</span>
            <small class="muted num">{step.links.length > 1 ? t("ui.route.hops", { count: step.links.length }) : ""}</small>
          </li>
        ))}
      </ol>
      {way.standby && <p class="muted">{t("ui.route.standby_note")}</p>}
    </>
  );
}

function stepText(grid: GridView, { segment }: RouteStep): string {
  if (segment.kind === "adjacency") {
    const [id = "", side] = segment.name.split(":");
    const link = grid.links.get(id);
    const [a, b] = link ? (side === "ab" ? [link.a, link.b] : [link.b, link.a]) : [id, ""];
    return t("ui.route.adjacency", { a: siteName(grid, a), b: siteName(grid, b) });
  }
  if (segment.kind === "service") {
    const known = grid.securityPools.get(segment.name);
    return t("ui.route.service", { function: known ? word("ui.protection", known.pool.function) : segment.name, site: siteName(grid, known?.site.id ?? null) });
  }
  return t("ui.route.node", { site: siteName(grid, segment.name) });
}

/** Promised, planned, measured. */
function Kept({ route }: { route: TaskRoute }) {
  const { probe, promised_us: promised } = route;
  return (
    <dl class="rows">
      <Row name={`${t("ui.route.latency")} · ${t("ui.route.promised")}`}>{promised === null ? t("ui.route.no_bound") : span(promised)}</Row>
      <Row name={`${t("ui.route.latency")} · ${t("ui.route.plan_latency")}`}>{span(route.latency_us)}</Row>
      {!probe && <Row name={t("ui.route.measured")}>{t("ui.route.not_measured")}</Row>}
      {probe && (
        <>
          <Row name={`${t("ui.route.latency")} · ${t("ui.route.measured")}`}>
            {probe.received === 0 ? NONE : `${span(probe.p90_us)} (${t("ui.route.spread", { mean: span(probe.mean_us), max: span(probe.maximum_us) })})`}{" "}
            {promised !== null && probe.received > 0 && <span class={probe.late ? "bad-text" : "good-text"}>{probe.late ? t("ui.route.late") : t("ui.route.kept")}</span>}
          </Row>
          <Row name={`${t("ui.route.loss")} · ${t("ui.route.measured")}`}>
            {probe.sent === 0 ? NONE : percent(Math.max(0, (1 - probe.received / probe.sent) * 1000))} · {t("ui.route.probes", { received: probe.received, sent: probe.sent })}
          </Row>
          <Row name={t("ui.route.measured")}>{t("ui.route.by", { agent: probe.agent, age: ago(probe.measured_at_us, nowUs()) })}</Row>
          {probe.sids.length > 0 && (
            <Row name={t("ui.route.sids")}>
              {probe.sids.map((sid) => (
                <code>{sid}</code>
              ))}
            </Row>
          )}
        </>
      )}
    </dl>
  );
}
