// The grid itself: what is fact and what is assumption, sites, prices, data sets.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { PoolKind, Site, Tier } from "../api/types";
import { bytes, count, flops, percent, yuan } from "../core/format";
import { gridStore, needGrid, siteName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { useStore } from "../core/store";
import { Figure, KindMark, Panel } from "../parts/bits";
import { Empty, ErrorBox, Loading } from "../parts/states";

const PAGE_SIZE = 40;
const TIERS: Tier[] = ["hub", "western", "provincial", "edge"];
const KINDS: PoolKind[] = ["general", "ai", "hpc", "quantum"];

export function GridPage() {
  const grid = useStore(gridStore);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => void needGrid().catch(setError), []);
  if (!grid) return error ? <ErrorBox error={error} again={() => location.reload()} /> : <Loading />;
  return (
    <div class="page">
      <div class="page-head">
        <h1>{grid.grid.name}</h1>
        <span class="muted">
          <code>{grid.grid.id}</code> · v{grid.grid.version}
        </span>
      </div>
      <Sums grid={grid} />
      <Notes grid={grid} />
      <Sites grid={grid} />
      <Books grid={grid} />
      <DataSets grid={grid} />
    </div>
  );
}

function Sums({ grid }: { grid: GridView }) {
  const sums = useMemo(() => {
    const own = grid.grid.sites.filter((site) => site.owner === "own");
    const gflops = (sites: readonly Site[], ...kinds: PoolKind[]): number =>
      sites.reduce((sum, site) => sum + site.pools.reduce((all, pool) => all + (kinds.includes(pool.kind) ? pool.nodes * pool.gflops_per_node : 0), 0), 0);
    const fibre = grid.grid.links.reduce((sum, link) => sum + (link.kind === "satellite" ? 0 : link.length_km), 0);
    return { tiers: TIERS.map((tier) => own.filter((site) => site.tier === tier).length), own: own.length, general: gflops(own, "general", "hpc"), ai: gflops(own, "ai"), fibre };
  }, [grid]);
  const third = grid.grid.sites.length - sums.own;
  const general = flops(sums.general);
  const ai = flops(sums.ai);
  return (
    <div class="figures">
      <Figure label={t("ui.side.tiers")} value={sums.tiers.join(" + ")} note={TIERS.map((tier) => t(`ui.tier.${tier}`)).join(" + ")} />
      <Figure label={t("ui.site.third_party")} value={count(third)} note={t("ui.grid.third_note")} />
      <Figure label={t("ui.kpi.general")} value={general.value} unit={general.unit} note={t("ui.site.own")} />
      <Figure label={t("ui.grid.ai")} value={ai.value} unit={ai.unit} note={t("ui.site.own")} />
      <Figure label={t("ui.legend.links")} value={count(grid.grid.links.length)} note={t("ui.grid.fibre", { km: count(sums.fibre) })} />
      <Figure label={t("ui.grid.route_factor")} value={(grid.grid.route_factor_permille / 1000).toFixed(2)} note={t("ui.grid.route_note")} />
    </div>
  );
}

function Notes({ grid }: { grid: GridView }) {
  const { facts, assumptions } = grid.grid.notes;
  return (
    <div class="notes">
      <Panel title={t("ui.grid.facts")} class="facts">
        {facts.length ? <ul>{facts.map((one) => <li>{one}</li>)}</ul> : <p class="muted">{t("ui.grid.no_notes")}</p>}
      </Panel>
      <Panel title={t("ui.grid.assumptions")} class="assumptions">
        {assumptions.length ? <ul>{assumptions.map((one) => <li>{one}</li>)}</ul> : <p class="muted">{t("ui.grid.no_notes")}</p>}
      </Panel>
    </div>
  );
}

function Sites({ grid }: { grid: GridView }) {
  const [tier, setTier] = useState<Tier | "third" | "">("");
  const [kind, setKind] = useState<PoolKind | "">("");
  const [text, setText] = useState("");
  const [page, setPage] = useState(0);
  const found = useMemo(() => {
    const want = text.trim().toLowerCase();
    return grid.grid.sites.filter(
      (site) =>
        (tier === "" || (tier === "third" ? site.owner !== "own" : site.tier === tier && site.owner === "own")) &&
        (kind === "" || site.pools.some((pool) => pool.kind === kind)) &&
        (want === "" || [site.id, site.city, site.region, site.owner, ...Object.values(site.names)].some((one) => one.toLowerCase().includes(want))),
    );
  }, [grid, tier, kind, text]);
  useEffect(() => setPage(0), [found]);
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  return (
    <Panel title={t("ui.legend.sites")} side={<span class="muted num">{t("ui.grid.found", { count: count(found.length) })}</span>}>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>{t("ui.col.tier")}</span>
          <select value={tier} onChange={(event) => setTier(event.currentTarget.value as Tier)}>
            <option value="">{t("ui.tasks.all")}</option>
            {TIERS.map((one) => (
              <option value={one}>{t(`ui.tier.${one}`)}</option>
            ))}
            <option value="third">{t("ui.site.third_party")}</option>
          </select>
        </label>
        <label>
          <span>{t("ui.col.kind")}</span>
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value as PoolKind)}>
            <option value="">{t("ui.tasks.all")}</option>
            {KINDS.map((one) => (
              <option value={one}>{t(`ui.kind.${one}`)}</option>
            ))}
          </select>
        </label>
        <label class="wide">
          <span>{t("ui.tasks.text")}</span>
          <input type="search" value={text} placeholder={t("ui.grid.search")} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
      </form>
      {found.length === 0 ? (
        <Empty>{t("ui.grid.none_match")}</Empty>
      ) : (
        <div class="table-box">
          <table class="table">
            <thead>
              <tr>
                <th>{t("ui.col.site")}</th>
                <th>{t("ui.col.tier")}</th>
                <th>{t("ui.col.owner")}</th>
                <th>{t("ui.site.pools")}</th>
                <th class="right">{t("ui.kpi.servers")}</th>
                <th>{t("ui.site.security_level")}</th>
                <th>{t("ui.site.security_pools")}</th>
                <th class="right">{t("ui.site.renewable")}</th>
                <th class="right">{t("ui.grid.carbon")}</th>
                <th>{t("ui.site.prices")}</th>
              </tr>
            </thead>
            <tbody>
              {found.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE).map((site) => (
                <SiteRow key={site.id} site={site} grid={grid} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {pages > 1 && (
        <div class="paging">
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            {t("ui.paging.before")}
          </button>
          <span class="muted num">{t("ui.paging.of", { page: page + 1, pages })}</span>
          <button type="button" disabled={page + 1 >= pages} onClick={() => setPage(page + 1)}>
            {t("ui.paging.after")}
          </button>
        </div>
      )}
    </Panel>
  );
}

function SiteRow({ site, grid }: { site: Site; grid: GridView }) {
  return (
    <tr>
      <td>
        <b>{siteName(grid, site.id)}</b>
        <div class="under">
          <code>{site.id}</code>
        </div>
      </td>
      <td>
        <i class={`sym sym-${site.owner === "own" ? site.tier : "third"}`} aria-hidden="true" /> {t(`ui.tier.${site.tier}`)}
      </td>
      <td>{site.owner === "own" ? t("ui.site.own") : site.owner}</td>
      <td>{site.pools.map((pool) => <KindMark kind={pool.kind} />)}</td>
      <td class="right num">{count(site.pools.reduce((sum, pool) => sum + pool.nodes, 0))}</td>
      <td class="num">{site.security_level}</td>
      <td>{site.security_pools.map((pool) => word("ui.protection", pool.function)).join(", ") || "–"}</td>
      <td class="right num">{percent(site.energy.renewable_permille, 0)}</td>
      <td class="right num">{count(site.energy.carbon_g_per_kwh)}</td>
      <td>
        <code>{site.price_book}</code>
      </td>
    </tr>
  );
}

function Books({ grid }: { grid: GridView }) {
  return (
    <Panel title={t("ui.grid.books")}>
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <th>{t("ui.site.prices")}</th>
              <th class="right">{t("ui.unit.core_hours")}</th>
              <th class="right">{t("ui.unit.gib_hours")}</th>
              <th class="right">{t("ui.unit.node_hours")}</th>
              <th class="right">{t("ui.unit.qpu_hours")}</th>
              <th class="right">{t("ui.unit.shots")}</th>
              <th class="right">{t("ui.unit.kwh")}</th>
              <th>{t("ui.unit.card_hours")}</th>
              <th>{t("ui.grid.time_of_use")}</th>
            </tr>
          </thead>
          <tbody>
            {grid.grid.price_books.map((book) => (
              <tr key={book.id}>
                <td>
                  <code>{book.id}</code>
                </td>
                {[book.core_hour_micro_yuan, book.gib_hour_micro_yuan, book.node_hour_micro_yuan, book.qpu_hour_micro_yuan, book.qpu_shot_micro_yuan, book.energy_kwh_micro_yuan].map((price) => (
                  <td class="right num">{price ? yuan(price) : "–"}</td>
                ))}
                <td class="num cards">
                  {Object.entries(book.accelerator_hour_micro_yuan).map(([model, price]) => (
                    <span>
                      {model} <b>{yuan(price)}</b>
                    </span>
                  ))}
                </td>
                <td class="num">
                  {book.time_of_use.map((band) => `${band.from_hour}–${band.to_hour} h × ${band.permille / 1000}`).join(", ") || "–"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function DataSets({ grid }: { grid: GridView }) {
  const sets = grid.grid.data_sets;
  if (!sets.length) return null;
  return (
    <Panel title={t("ui.grid.data_sets")}>
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <th>{t("ui.col.data_set")}</th>
              <th class="right">{t("ui.col.size")}</th>
              <th>{t("ui.grid.replicas")}</th>
              <th>{t("ui.field.residency")}</th>
            </tr>
          </thead>
          <tbody>
            {sets.map((one) => (
              <tr key={one.id}>
                <td>
                  <b>{one.name}</b>
                  <div class="under">
                    <code>dataset:{one.id}</code> v{one.version}
                  </div>
                </td>
                <td class="right num">{bytes(one.size_bytes)}</td>
                <td>{one.replicas.map((id) => siteName(grid, id)).join(", ")}</td>
                <td>{one.residency.join(", ") || t("ui.grid.anywhere")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

