import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Panorama, Pool, Site, SiteState } from "../../api/types";
import { bytes, count, flops, percent, rate, yuan } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { taskHref } from "../../core/router";
import { useStore } from "../../core/store";
import { whoStore } from "../../core/who";
import { Bar, Emulated, KindMark, loadTone, Panel, PhaseChip, Row } from "../../parts/bits";
import { errorText } from "../../parts/states";

interface SitePanelProps {
  grid: GridView;
  picture: Panorama;
  id: string;
  onClose: () => void;
}

export function SitePanel({ grid, picture, id, onClose }: SitePanelProps) {
  const site = grid.sites.get(id);
  const state = picture.sites.find((one) => one.id === id);
  if (!site) return null;
  const flows = picture.flows.filter((flow) => flow.sites.at(-1) === id);
  const use = new Map(picture.security_pools.map((one) => [one.id, one]));
  return (
    <Panel
      class="grow site-panel"
      title={siteName(grid, id)}
      side={
        <button type="button" class="quiet" aria-label={t("ui.close")} onClick={onClose}>
          ✕
        </button>
      }
    >
      <p class="site-line">
        {state && !state.live ? <span class="chip down">{t("ui.site.down")}</span> : <span class="chip up">{t("ui.site.live")}</span>}
        <Emulated show={state?.emulated ?? false} />
        <span class="muted">
          {t(`ui.tier.${site.tier}`)} · {site.owner === "own" ? t("ui.site.own") : `${t("ui.site.third_party")} (${site.owner})`}
        </span>
      </p>
      {state && !state.live && state.cause && <p class="bad-text">{word("ui.cause", state.cause)}</p>}
      <dl class="rows">
        <Row name={t("ui.site.id")}>
          <code>{site.id}</code>
        </Row>
        <Row name={t("ui.site.place")}>
          {site.city} · {site.region}
        </Row>
        <Row name={t("ui.site.security_level")}>{t("ui.site.level", { level: site.security_level })}</Row>
      </dl>
      <h3>{t("ui.site.pools")}</h3>
      {site.pools.length === 0 && <p class="muted">{t("ui.site.no_pools")}</p>}
      {site.pools.map((pool) => (
        <PoolCard pool={pool} load={state?.pools.find((one) => one.id === pool.id)} />
      ))}
      {flows.length > 0 && (
        <>
          <h3>{t("ui.site.here")}</h3>
          <ul class="here">
            {flows.slice(0, 8).map((flow) => (
              <li>
                <a href={taskHref(flow.task_id)}>{flow.name}</a>
                <PhaseChip phase={flow.phase} />
              </li>
            ))}
          </ul>
        </>
      )}
      <SecurityPools site={site} use={use} />
      <Energy site={site} />
      <Prices site={site} grid={grid} />
      <SiteActions id={id} live={state?.live ?? true} />
    </Panel>
  );
}

function size(pool: Pool): string {
  const parts = [pool.nodes === 1 ? t("ui.pool.node") : t("ui.pool.nodes", { count: count(pool.nodes) })];
  if (pool.accelerators_per_node) parts.push(`${pool.accelerators_per_node} × ${pool.accelerator_model ?? ""}`);
  if (pool.cores_per_node) parts.push(t("ui.pool.cores", { count: count(pool.cores_per_node) }));
  if (pool.memory_bytes_per_node) parts.push(bytes(pool.memory_bytes_per_node));
  if (pool.qubits_per_node) parts.push(t("ui.pool.qubits", { count: count(pool.qubits_per_node) }));
  return parts.join(" · ");
}

function PoolCard({ pool, load }: { pool: Pool; load: SiteState["pools"][number] | undefined }) {
  const peak = flops(pool.gflops_per_node * pool.nodes);
  const permille = load?.load_permille ?? 0;
  return (
    <div class="pool-card">
      <div class="pool-top">
        <KindMark kind={pool.kind} />
        <b>{pool.id.split("/")[1]}</b>
        <span class="num">{percent(permille)}</span>
      </div>
      <Bar permille={permille} tone={loadTone(permille)} />
      <div class="muted num">{size(pool)}</div>
      {pool.gflops_per_node > 0 && (
        <div class="muted num">
          {peak.value} {peak.unit} · {pool.precision}
        </div>
      )}
    </div>
  );
}

function SecurityPools({ site, use }: { site: Site; use: Map<string, Panorama["security_pools"][number]> }) {
  if (!site.security_pools.length) return null;
  return (
    <>
      <h3>{t("ui.site.security_pools")}</h3>
      <ul class="bar-list">
        {site.security_pools.map((pool) => {
          const now = use.get(pool.id) ?? { up: true, used_bps: 0 };
          const permille = Math.round((now.used_bps * 1000) / Math.max(1, pool.capacity_bps));
          return (
            <li>
              <div class="plain">
                <span>{word("ui.protection", pool.function)}</span>
                <span class="num">
                  {now.up ? `${rate(now.used_bps)} / ${rate(pool.capacity_bps)}` : t("ui.site.down")}
                </span>
                <Bar permille={permille} tone={loadTone(permille)} />
              </div>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function Energy({ site }: { site: Site }) {
  return (
    <>
      <h3>{t("ui.site.energy")}</h3>
      <dl class="rows">
        <Row name={t("ui.site.renewable")}>{percent(site.energy.renewable_permille)}</Row>
        <Row name={t("ui.site.carbon")}>{`${count(site.energy.carbon_g_per_kwh)} g CO₂/kWh`}</Row>
        <Row name="PUE">{(site.energy.pue_permille / 1000).toFixed(2)}</Row>
      </dl>
    </>
  );
}

function Prices({ site, grid }: { site: Site; grid: GridView }) {
  const book = grid.books.get(site.price_book);
  if (!book) return null;
  return (
    <>
      <h3>
        {t("ui.site.prices")} <code>{book.id}</code>
      </h3>
      <dl class="rows">
        {book.core_hour_micro_yuan > 0 && <Row name={t("ui.unit.core_hours")}>{yuan(book.core_hour_micro_yuan)}</Row>}
        {book.gib_hour_micro_yuan > 0 && <Row name={t("ui.unit.gib_hours")}>{yuan(book.gib_hour_micro_yuan)}</Row>}
        {Object.entries(book.accelerator_hour_micro_yuan)
          .filter(([model]) => site.pools.some((pool) => pool.accelerator_model === model))
          .map(([model, price]) => (
            <Row name={`${t("ui.unit.card_hours")} · ${model}`}>{yuan(price)}</Row>
          ))}
        {book.node_hour_micro_yuan > 0 && site.pools.some((pool) => pool.kind === "hpc") && (
          <Row name={t("ui.unit.node_hours")}>{yuan(book.node_hour_micro_yuan)}</Row>
        )}
        {book.qpu_hour_micro_yuan > 0 && site.pools.some((pool) => pool.kind === "quantum") && (
          <Row name={t("ui.unit.qpu_hours")}>{yuan(book.qpu_hour_micro_yuan)}</Row>
        )}
        {book.qpu_shot_micro_yuan > 0 && site.pools.some((pool) => pool.kind === "quantum") && (
          <Row name={t("ui.unit.shots")}>{yuan(book.qpu_shot_micro_yuan)}</Row>
        )}
        {book.energy_kwh_micro_yuan > 0 && <Row name={t("ui.unit.kwh")}>{yuan(book.energy_kwh_micro_yuan)}</Row>}
      </dl>
    </>
  );
}

/** An operator may take a site out and put it back: live tasks move elsewhere. */
function SiteActions({ id, live }: { id: string; live: boolean }) {
  const who = useStore(whoStore);
  const [error, setError] = useState("");
  const [asking, setAsking] = useState(false);
  if (who?.role !== "operator") return null;
  const turn = (verb: "fail" | "heal"): void => {
    setAsking(false);
    api.turnSite(id, verb).then(
      () => setError(""),
      (problem: Error) => setError(errorText(problem)),
    );
  };
  return (
    <div class="site-actions">
      <h3>{t("ui.site.operate")}</h3>
      {!live && (
        <button type="button" onClick={() => turn("heal")}>
          {t("ui.site.heal")}
        </button>
      )}
      {live && !asking && (
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          {t("ui.site.fail")}
        </button>
      )}
      {live && asking && (
        <p role="alert">
          {t("ui.site.fail_sure")}{" "}
          <button type="button" class="danger" onClick={() => turn("fail")}>
            {t("ui.site.fail")}
          </button>{" "}
          <button type="button" onClick={() => setAsking(false)}>
            {t("ui.no")}
          </button>
        </p>
      )}
      {error && <p class="bad-text">{error}</p>}
    </div>
  );
}
