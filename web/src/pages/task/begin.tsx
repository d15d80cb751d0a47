// The first two stations: what was asked, and whether it was taken.

import type { Explain, TaskRequest } from "../../api/types";
import { atFull, bytes, count, rate, span, yuan } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { Panel, Row } from "../../parts/bits";
import { Funnel, Relaxations } from "../../parts/plan-why";

interface Part {
  record: Explain;
  grid: GridView | null;
}

export function RequestSection({ record, grid }: Part) {
  const { request } = record.request;
  return (
    <Panel id="request" class="station-panel" title={<Numbered n={1}>{t("ui.road.request")}</Numbered>} side={<time class="num">{atFull(record.request.at_us)}</time>}>
      <pre class="command">{command(request)}</pre>
      <dl class="rows cols">
        <Row name={t("ui.field.resources")}>{resources(request)}</Row>
        <Row name={t("ui.field.origin")}>{siteName(grid, record.task.origin)}</Row>
        <Row name={t("ui.field.preference")}>{t(`ui.preference.${request.preference}`)}</Row>
        <Row name={t("ui.field.latency")}>{latency(request)}</Row>
        {request.bandwidth > 0 && <Row name={t("ui.field.bandwidth")}>{rate(request.bandwidth)}</Row>}
        <Row name={t("ui.field.security_level")}>{t("ui.site.level", { level: request.security_level })}</Row>
        {request.protection.length > 0 && <Row name={t("ui.field.protection")}>{request.protection.map((one) => word("ui.protection", one)).join(" → ")}</Row>}
        {request.residency.length > 0 && <Row name={t("ui.field.residency")}>{request.residency.join(", ")}</Row>}
        {request.owners.length > 0 && <Row name={t("ui.field.owners")}>{request.owners.join(" → ")}</Row>}
        {Object.keys(request.together_with).length > 0 && <Row name={t("ui.field.together_with")}>{labels(request.together_with)}</Row>}
        {Object.keys(request.apart_from).length > 0 && <Row name={t("ui.field.apart_from")}>{labels(request.apart_from)}</Row>}
        {request.standby !== null && <Row name={t("ui.field.standby")}>{t(`ui.standby.${request.standby}`)}</Row>}
        {request.checkpoint !== null && <Row name={t("ui.field.checkpoint")}><code>{request.checkpoint}</code></Row>}
        {request.deadline !== null && <Row name={t("ui.field.deadline")}>{atFull(request.deadline)}</Row>}
        {request.price_limit !== null && <Row name={t("ui.field.price_limit")}>{yuan(request.price_limit)}</Row>}
        {request.inputs.length > 0 && <Row name={t("ui.field.inputs")}>{request.inputs.map((one) => <code>{one.source.length > 40 ? `${one.source.slice(0, 24)}…` : one.source}</code>)}</Row>}
        {request.outputs.length > 0 && <Row name={t("ui.field.outputs")}>{request.outputs.map((one) => <code>{one.path}</code>)}</Row>}
        {request.secrets.length > 0 && <Row name={t("ui.field.secrets")}>{request.secrets.map((one) => <code>{one}</code>)}</Row>}
      </dl>
    </Panel>
  );
}

const labels = (tags: Record<string, string>): string => Object.entries(tags).map(([name, value]) => `${name}: ${value}`).join(", ");

export function AdmissionSection({ record, grid }: Part) {
  const { admission, waits } = record;
  const tone = admission.outcome === "refused" ? "bad-text" : admission.outcome === "admitted" ? "good-text" : "muted";
  return (
    <Panel
      id="admission"
      class="station-panel"
      title={<Numbered n={2}>{t("ui.road.admission")}</Numbered>}
      side={admission.at_us ? <time class="num">{atFull(admission.at_us)}</time> : null}
    >
      <p class={`outcome ${tone}`}>{t(`ui.admission.${admission.outcome}`)}</p>
      {admission.refusals.length > 0 && (
        <ul class="refusals">
          {admission.refusals.map((one) => (
            <li>
              <b>{word("refusal", one.reason, { field: one.field, got: one.got, limit: one.limit })}</b>
              <span class="muted">
                <code>{one.field}</code> {one.got && t("ui.refusal.got", { got: one.got })} {one.limit && t("ui.refusal.limit", { limit: one.limit })}
              </span>
            </li>
          ))}
        </ul>
      )}
      {admission.outcome === "admitted" && <p class="muted">{t("ui.admission.checked")}</p>}
      {waits.length > 0 && (
        <>
          <h3>{t("ui.road.waits")}</h3>
          <ul class="log-list">
            {waits.slice(-4).map((one) => (
              <li>
                <time class="num">{atFull(one.at_us)}</time> {word("wait", one.reason)}
              </li>
            ))}
          </ul>
        </>
      )}
      {admission.clauses.length > 0 && grid && <Funnel clauses={admission.clauses} all={grid.pools.size} />}
      {admission.outcome === "refused" && admission.relaxations.length > 0 && <Relaxations grid={grid} relaxations={admission.relaxations} />}
    </Panel>
  );
}

export function Numbered({ n, children }: { n: number; children: string }) {
  return (
    <>
      <span class="station-n num" aria-hidden="true">
        {n}
      </span>
      {children}
    </>
  );
}

/** The command as a person would type it. */
function command({ run }: TaskRequest): string {
  if (typeof run === "string") return run;
  if (Array.isArray(run)) return run.map((part) => (/^[\w./=:@%+,-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(" ");
  if ("circuit" in run) return run.circuit?.trim() ?? `OpenQASM · ${run.file ?? ""}`;
  const head = run.module ? `python -m ${run.module}` : `python - <<'EOF'\n${(run.script ?? "").trim()}\nEOF`;
  return run.arguments?.length ? `${head} ${run.arguments.join(" ")}` : head;
}

function resources({ resources: r, array }: TaskRequest): string {
  const parts: string[] = [];
  if (array > 1) parts.push(`${count(array)} ×`);
  if (r.nodes > 1) parts.push(t("ui.pool.nodes", { count: count(r.nodes) }));
  if (r.qubits) parts.push(t("ui.pool.qubits", { count: count(r.qubits) }), `${count(r.shots)} ${t("ui.unit.shots")}`);
  else parts.push(r.cpu === 1 ? t("ui.pool.core") : t("ui.pool.cores", { count: count(r.cpu) }), bytes(r.memory));
  if (r.accelerators) parts.push(`${r.accelerators} × ${r.accelerator ?? "any"}`);
  return `${parts.join(" · ")} · ${t("ui.field.at_most", { span: span(r.wall_time) })}`;
}

function latency({ latency: bound }: TaskRequest): string {
  if (bound === null) return t("ui.field.no_bound");
  if (bound === "metro" || bound === "provincial" || bound === "national") return t(`ui.circle.${bound}`);
  return `≤ ${span(Number(bound))}`;
}
