// Who has how much of the grid: the tree of tenants with shares, quotas, what is borrowed and lent, and whose turn it is.

import { useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { follow } from "../api/stream";
import type { Quota, Share } from "../api/tenants";
import { count, percent, yuan } from "../core/format";
import { t } from "../core/i18n";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { Bar, Panel } from "../parts/bits";
import { Empty, ErrorBox, Loading } from "../parts/states";
import { ChangeTenant } from "./tenants/change";
import { inTree, NO_LIMIT, quotaParts } from "./tenants/tree";

const EVERY_MS = 1000; // the shares are asked for no more often than this

/** The shares, asked for again when the panorama's stream says that something moved. */
function useShares(): { shares: Share[] | null; error: Error | null; again: () => void } {
  const [shares, setShares] = useState<Share[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let asked = 0;
    const ask = async (): Promise<void> => {
      asked = Date.now();
      try {
        const { items } = await api.shares();
        if (!stop.signal.aborted) setShares(items);
      } catch (problem) {
        if (problem instanceof ApiError && !stop.signal.aborted) setError(problem);
      }
    };
    void ask();
    void follow("/panorama/stream", stop.signal, () => {
      if (Date.now() - asked >= EVERY_MS) void ask();
    });
    return () => stop.abort();
  }, [turn]);
  return { shares, error, again: () => setTurn(turn + 1) };
}

export function TenantsPage() {
  const who = useStore(whoStore);
  const { shares, error, again } = useShares();
  const [changed, setChanged] = useState<string | null>(null);
  if (error) return <ErrorBox error={error} again={() => location.reload()} />;
  if (!shares) return <Loading />;
  const mayChange = who?.role === "operator";
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("ui.nav.tenants")}</h1>
        <Legend />
      </div>
      {changed !== null && <ChangeTenant key={changed} id={changed} close={() => setChanged(null)} saved={again} />}
      {shares.length === 0 ? <Empty>{t("ui.tenants.none")}</Empty> : <Tree shares={shares} change={mayChange ? setChanged : null} />}
    </div>
  );
}

function Legend() {
  return (
    <div class="tenant-legend">
      <span>
        <i class="swatch own" aria-hidden="true" /> {t("ui.tenants.own")}
      </span>
      <span>
        <i class="swatch borrowed" aria-hidden="true" /> {t("ui.tenants.borrowed_legend")}
      </span>
      <span>
        <i class="swatch lent" aria-hidden="true" /> {t("ui.tenants.lent_legend")}
      </span>
    </div>
  );
}

function Tree({ shares, change }: { shares: readonly Share[]; change: ((id: string) => void) | null }) {
  const most = Math.max(1, ...shares.map((one) => one.share_ppm));
  return (
    <Panel title={t("ui.tenants.share")} class="tenants">
      <div class="table-box">
        <table class="table tenant-table">
          <thead>
            <tr>
              <th>{t("ui.tenants.tenant")}</th>
              <th class="right">{t("ui.tenants.weight")}</th>
              <th>{t("ui.tenants.share")}</th>
              <th>{t("ui.tenants.cores")}</th>
              <th>{t("ui.tenants.cards")}</th>
              <th class="right">{t("ui.tenants.tasks")}</th>
              <th>{t("ui.tenants.budget")}</th>
              {change && <th />}
            </tr>
          </thead>
          <tbody>
            {inTree(shares).map(({ share, depth }) => (
              <TenantRow key={share.tenant} share={share} depth={depth} most={most} change={change} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function TenantRow({ share, depth, most, change }: { share: Share; depth: number; most: number; change: ((id: string) => void) | null }) {
  return (
    <tr class={share.turn ? "turn" : ""} data-tenant={share.tenant}>
      <td class={`tenant-name depth-${Math.min(depth, 7)}`}>
        <b>{share.name}</b> {share.turn && <span class="turn-chip" title={t("ui.tenants.turn_help")}>{t("ui.tenants.turn")}</span>}
        <div class="under">
          <code>{share.tenant}</code>
        </div>
      </td>
      <td class="right num">{count(share.weight)}</td>
      <td>
        <span class="num">{percent(share.share_ppm / 1000, 2)}</span>{" "}
        {share.resource && <small class="muted">{t("ui.tenants.by", { resource: t(`ui.resource.${share.resource}` as "ui.resource.cores") })}</small>}
        <Bar permille={(share.share_ppm * 1000) / most} label={percent(share.share_ppm / 1000, 2)} />
      </td>
      <td>
        <QuotaCell quota={share.cores} />
      </td>
      <td>
        <QuotaCell quota={share.accelerators} />
      </td>
      <td class="right num">
        <b class={share.waiting ? "warn-text" : "muted"}>{count(share.waiting)}</b> / {count(share.live_tasks)}
      </td>
      <td>
        <BudgetCell share={share} />
      </td>
      {change && (
        <td class="right">
          <button type="button" class="quiet" onClick={() => change(share.tenant)} aria-label={t("ui.tenants.change_of", { name: share.name })}>
            {t("ui.tenants.change")}
          </button>
        </td>
      )}
    </tr>
  );
}

/** What is held of a quota; borrowed beyond its end, lent from its end. */
function QuotaCell({ quota }: { quota: Quota }) {
  const parts = quotaParts(quota);
  const words = [quota.borrowed > 0 ? t("ui.tenants.borrowed", { count: count(quota.borrowed) }) : "", quota.lent > 0 ? t("ui.tenants.lent", { count: count(quota.lent) }) : ""].filter(Boolean);
  const held = quota.limit >= NO_LIMIT ? `${count(quota.held)} · ${t("ui.tenants.no_limit")}` : t("ui.tenants.of", { held: count(quota.held), limit: count(quota.limit) });
  return (
    <>
      <span class="num">{held}</span>
      {words.length > 0 && <div class="under muted num">{words.join(" · ")}</div>}
      {parts && (
        <svg class="bar quota" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label={[held, ...words].join(", ")}>
          <rect class="bar-ground" width={parts.end} height="10" />
          <rect class="quota-own" width={parts.own} height="10" />
          <rect class="quota-borrowed" x={parts.end} width={parts.borrowed} height="10" />
          <rect class="quota-lent" x={parts.end - parts.lent} width={parts.lent} height="10" />
        </svg>
      )}
    </>
  );
}

function BudgetCell({ share }: { share: Share }) {
  const { budget_micro_yuan: budget, spent_micro_yuan: spent } = share;
  if (budget === null) return <span class="num">{yuan(spent)} <small class="muted">{t("ui.tenants.no_budget")}</small></span>;
  const permille = budget > 0 ? (spent * 1000) / budget : 1000;
  return (
    <>
      <span class="num">{t("ui.tenants.of", { held: yuan(spent), limit: yuan(budget) })}</span>
      <Bar permille={permille} tone={permille >= 850 ? "warn" : "good"} />
    </>
  );
}
