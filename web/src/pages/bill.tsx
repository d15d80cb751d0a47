import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Bill } from "../api/types";
import { nowUs } from "../core/clock";
import { atFull, count, dayUtc8, percent, yuan, yuanExact } from "../core/format";
import { gridStore, needGrid, siteName } from "../core/grid";
import { t, word } from "../core/i18n";
import { useLoad } from "../core/load";
import { go, taskHref } from "../core/router";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { Bar, Emulated, Figure, Panel, PhaseChip } from "../parts/bits";
import { Empty, ErrorBox, Loading } from "../parts/states";

const DAY_US = 86_400_000_000;
const UTC8_US = 8 * 3_600_000_000;
const PERIODS = ["today", "week", "month", "all"] as const;
type Period = (typeof PERIODS)[number];

/** Days start at 00:00 of UTC+8, as the tariff's do. */
function since(period: Period): number | null {
  const today = Math.floor((nowUs() + UTC8_US) / DAY_US) * DAY_US - UTC8_US;
  if (period === "today") return today;
  if (period === "week") return today - 6 * DAY_US;
  return period === "month" ? today - 29 * DAY_US : null;
}

export function BillPage() {
  const who = useStore(whoStore);
  const [period, setPeriod] = useState<Period>("month");
  const [tenant, setTenant] = useState<string>("");
  const { value, error, again } = useLoad<Bill>(() => api.bill({ tenant, from: since(period) }), [period, tenant]);
  useEffect(() => void needGrid().catch(() => undefined), []);
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("ui.nav.bill")}</h1>
        <div class="tabs" role="group" aria-label={t("ui.bill.period")}>
          {PERIODS.map((one) => (
            <button type="button" aria-pressed={one === period} class={one === period ? "on" : ""} onClick={() => setPeriod(one)}>
              {t(`ui.bill.${one}`)}
            </button>
          ))}
        </div>
        {who?.role === "operator" && who.tenants.length > 0 && (
          <label class="inline">
            <span>{t("ui.bill.tenant")}</span>
            <select value={tenant} onChange={(event) => setTenant(event.currentTarget.value)}>
              <option value="">{t("ui.bill.tenants_all")}</option>
              {who.tenants.map((one) => (
                <option value={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      {error && !value && <ErrorBox error={error} again={again} />}
      {!value && !error && <Loading />}
      {value && (value.lines === 0 ? <Empty>{t("ui.bill.none")}</Empty> : <BillBody bill={value} />)}
    </div>
  );
}

function BillBody({ bill }: { bill: Bill }) {
  const most = Math.max(1, ...bill.by_kind.map((one) => Math.abs(one.amount_micro_yuan)));
  return (
    <>
      <div class="figures bill-figures">
        <Figure label={t("ui.bill.total")} value={yuan(bill.total_micro_yuan)} note={`${bill.tenant ?? t("ui.bill.tenants_all")} · ${t("ui.charges.lines", { count: count(bill.lines) })}`} />
        <Figure label={t("ui.bill.emulated")} value={yuan(bill.emulated_micro_yuan)} note={<Emulated show={bill.emulated_micro_yuan > 0} />} />
        <Figure label={t("ui.bill.tasks")} value={count(bill.by_task.length)} note={`${bill.from_us > 0 ? atFull(bill.from_us) : "…"} – ${atFull(Math.min(bill.to_us, nowUs()))}`} />
      </div>
      <div class="bill-cols">
        <Panel title={t("ui.bill.by_kind")}>
          <ul class="bar-list big">
            {[...bill.by_kind]
              .sort((a, b) => b.amount_micro_yuan - a.amount_micro_yuan)
              .map((one) => (
                <li>
                  <div class="plain">
                    <span>
                      {word("charge", one.kind)} <small class="muted num">{t("ui.charges.lines", { count: count(one.lines) })}</small>
                    </span>
                    <span class="num">
                      {yuan(one.amount_micro_yuan)}{" "}
                      {bill.total_micro_yuan > 0 && <small class="muted">{percent((one.amount_micro_yuan * 1000) / bill.total_micro_yuan)}</small>}
                    </span>
                    <Bar permille={(Math.abs(one.amount_micro_yuan) * 1000) / most} tone={one.amount_micro_yuan < 0 ? "warn" : "accent"} />
                  </div>
                </li>
              ))}
          </ul>
        </Panel>
        <Panel title={t("ui.bill.by_day")}>
          <Days bill={bill} />
        </Panel>
      </div>
      <ByTask bill={bill} />
    </>
  );
}

const DAYS_MAX = 31;

/** Columns by day, drawn as an SVG: no library for a handful of bars. */
function Days({ bill }: { bill: Bill }) {
  const days = bill.by_day.slice(-DAYS_MAX);
  const most = Math.max(1, ...days.map((one) => one.amount_micro_yuan));
  const every = Math.ceil(days.length / 8);
  return (
    <ol class="days">
      {days.map((one, index) => (
        <li title={`${dayUtc8(one.from_us)} · ${yuanExact(one.amount_micro_yuan)}`}>
          {days.length <= 8 && <span class="num">{yuan(one.amount_micro_yuan)}</span>}
          <svg viewBox="0 0 10 1000" preserveAspectRatio="none" role="img" aria-label={`${dayUtc8(one.from_us)} ${yuan(one.amount_micro_yuan)}`}>
            <rect class="bar-value" y={1000 - (one.amount_micro_yuan * 1000) / most} width="10" height={(one.amount_micro_yuan * 1000) / most} />
          </svg>
          <small class="num">{index % every === 0 ? dayUtc8(one.from_us) : " "}</small>
        </li>
      ))}
    </ol>
  );
}

function ByTask({ bill }: { bill: Bill }) {
  const grid = useStore(gridStore);
  return (
    <Panel title={t("ui.bill.by_task")}>
      <div class="table-box">
        <table class="table tasks">
          <thead>
            <tr>
              <th>{t("ui.col.task")}</th>
              <th>{t("ui.col.phase")}</th>
              <th>{t("ui.col.site")}</th>
              <th class="right">{t("ui.col.lines")}</th>
              <th class="right">{t("ui.col.quote")}</th>
              <th class="right">{t("ui.col.billed")}</th>
              <th class="share">{t("ui.bill.share")}</th>
            </tr>
          </thead>
          <tbody>
            {bill.by_task.map((one) => (
              <tr key={one.task_id} onClick={() => go(taskHref(one.task_id))}>
                <td>
                  <a href={taskHref(one.task_id)} class="task-name">
                    {one.name}
                  </a>
                </td>
                <td>
                  <PhaseChip phase={one.phase} />
                </td>
                <td>
                  {siteName(grid, one.site)} <Emulated show={one.emulated} />
                </td>
                <td class="right num">{count(one.lines)}</td>
                <td class="right num">{one.quote_micro_yuan === null ? "–" : yuan(one.quote_micro_yuan)}</td>
                <td class="right num">{yuanExact(one.amount_micro_yuan)}</td>
                <td class="share">
                  <Bar permille={(one.amount_micro_yuan * 1000) / Math.max(1, bill.total_micro_yuan)} />
                </td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <td colSpan={5}>{t("ui.col.sum")}</td>
              <td class="right num">{yuanExact(bill.total_micro_yuan)}</td>
              <td />
            </tr>
          </tfoot>
        </table>
      </div>
    </Panel>
  );
}
