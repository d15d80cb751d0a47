// One link: both directions side by side, who holds it, and what an operator may do with it.

import { useEffect, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { LinkHolder, LinkNow, LinkUse } from "../../api/network-types";
import { at, count, NONE, portion, rate, shortId, span, yuan } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { useLoad } from "../../core/load";
import { taskHref } from "../../core/router";
import { useStore } from "../../core/store";
import { whoStore } from "../../core/who";
import { Panel, Row } from "../../parts/bits";
import { errorText } from "../../parts/states";
import { linkName } from "./live";

interface LinkPanelProps {
  grid: GridView;
  link: LinkNow;
  at: number;
  carried: ReadonlyMap<string, LinkUse>;
  /** Whether this key may read what the routers say at all. */
  told: boolean;
  marked: boolean;
  onMark: (() => void) | null;
  onRisk: (group: string) => void;
  onChanged: () => void;
  onClose: () => void;
}

export function LinkPanel(props: LinkPanelProps) {
  const { grid, link, marked, onMark, onRisk, onClose } = props;
  return (
    <Panel
      class="link-panel"
      title={linkName(grid, link)}
      side={
        <button type="button" class="quiet" aria-label={t("ui.close")} onClick={onClose}>
          ✕
        </button>
      }
    >
      <p class="site-line">
        <span class={`chip ${link.up ? "up" : "down"}`}>{link.up ? t("ui.net.link.up") : t("ui.net.legend.down")}</span>
        {link.in_maintenance && <span class="chip down">{t("ui.net.link.maintenance")}</span>}
        <span class="muted">{t(`ui.link.${link.kind}`)}</span>
        <code>{link.id}</code>
      </p>
      <Directions {...props} />
      <dl class="rows">
        <Row name={t("ui.net.link.price")}>{yuan(link.price_micro_yuan_per_gbps_hour)} / Gbps·h</Row>
        {link.shared_risk_groups.length > 0 && (
          <Row name={t("ui.net.link.risks")}>
            {link.shared_risk_groups.map((group) => (
              <button type="button" class="link group" aria-label={t("ui.net.link.show_risk", { group })} onClick={() => onRisk(group)}>
                {group}
              </button>
            ))}
          </Row>
        )}
      </dl>
      {link.maintenance.slice(0, 3).map((one) => (
        <p class="muted">{t("ui.net.link.maintenance_next", { start: at(one.start), end: at(one.end) })}</p>
      ))}
      <Holders {...props} />
      {onMark && (
        <p class="actions">
          {link.up && (
            <button type="button" aria-pressed={marked} onClick={onMark}>
              {marked ? t("ui.net.link.unmark") : t("ui.net.link.mark")}
            </button>
          )}
          {!link.up && <Heal link={link.id} onDone={props.onChanged} />}
        </p>
      )}
    </Panel>
  );
}

function Directions({ grid, link, carried, told }: LinkPanelProps) {
  const [a, b] = [siteName(grid, link.a), siteName(grid, link.b)];
  const use = { ab: carried.get(`${link.id}:ab`), ba: carried.get(`${link.id}:ba`) };
  const rows: [string, string, string][] = [
    [t("ui.net.link.capacity"), rate(link.capacity_bps), rate(link.capacity_bps)],
    [t("ui.net.link.held"), rate(link.ab.held_bps), rate(link.ba.held_bps)],
    [t("ui.net.link.use"), portion(link.ab.use_ppm), portion(link.ba.use_ppm)],
  ];
  if (told) {
    const carries = (one: LinkUse | undefined): string => (one ? rate(one.bandwidth_bps) : NONE);
    rows.push([t("ui.net.link.carried"), carries(use.ab), carries(use.ba)]);
    if (use.ab || use.ba) rows.push([t("ui.net.link.dropped"), use.ab ? count(use.ab.dropped) : NONE, use.ba ? count(use.ba.dropped) : NONE]);
  }
  rows.push([t("ui.net.link.latency"), span(link.latency_us), span(link.latency_us)]);
  rows.push([t("ui.net.link.weight"), count(link.igp_weight), count(link.igp_weight)]);
  return (
    <table class="table tight directions">
      <thead>
        <tr>
          <th scope="col">{t("ui.net.link.direction")}</th>
          <th scope="col" class="right">
            {a} → {b}
          </th>
          <th scope="col" class="right">
            {b} → {a}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, ab, ba]) => (
          <tr>
            <th scope="row">{name}</th>
            <td class="right num">{ab}</td>
            <td class="right num">{ba}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Holders({ link, at: now, grid }: LinkPanelProps) {
  const operator = useStore(whoStore)?.role === "operator";
  const { value, error, again } = useLoad(() => api.networkLink(link.id), [link.id]);
  // Read again when the page has read the network again and this link is not as it was.
  const what = `${link.up}/${link.ab.held_bps}/${link.ba.held_bps}`;
  useEffect(() => {
    if (value) again();
  }, [what]);
  return (
    <>
      <h3>{t("ui.net.link.holders")}</h3>
      {error && <p class="bad-text">{errorText(error)}</p>}
      {value && value.holders.length === 0 && <p class="muted">{t("ui.net.link.holders_none")}</p>}
      <ul class="holders">
        {value?.holders.map((one) => (
          <Holder key={`${one.way.owner}${one.way.kind}${one.way.item}`} grid={grid} one={one} now={now} />
        ))}
      </ul>
      {value && value.untold > 0 && <p class="muted">{t("ui.net.link.untold", { count: count(value.untold) })}</p>}
      {!operator && <p class="muted">{t("ui.net.link.holders_own")}</p>}
    </>
  );
}

function Holder({ grid, one, now }: { grid: GridView; one: LinkHolder; now: number }) {
  const { way } = one;
  const sides = ([["→", one.ab_bps], ["←", one.ba_bps]] as const).filter(([, bps]) => bps > 0);
  return (
    <li>
      <span class="holder-name">
        {way.kind === "reservation" ? <b title={way.owner}>{one.name || shortId(way.owner)}</b> : <a href={taskHref(way.owner)}>{one.name || shortId(way.owner)}</a>}{" "}
        <small class="muted">
          {word("net_holder", way.kind)}
          {way.item && ` ${way.item}`}
          {one.tenant && ` · ${one.tenant}`}
        </small>
      </span>
      <span class="num">{sides.map(([arrow, bps]) => `${arrow} ${rate(bps)}`).join("  ")}</span>
      <small class="muted holder-ends">
        {siteName(grid, way.source)} → {siteName(grid, way.target)}
        {way.start_us > now && ` · ${t("ui.net.link.from", { at: at(way.start_us) })}`}
      </small>
    </li>
  );
}

function Heal({ link, onDone }: { link: string; onDone: () => void }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState("");
  const heal = (): void => {
    setAsking(false);
    api.turnLink(link, "heal").then(
      () => {
        setError("");
        onDone();
      },
      (problem: Error) => setError(errorText(problem)),
    );
  };
  return (
    <span role={asking ? "alert" : undefined}>
      {asking && `${t("ui.net.link.heal_sure")} `}
      <button type="button" onClick={() => (asking ? heal() : setAsking(true))}>
        {t("ui.net.link.heal")}
      </button>{" "}
      {asking && (
        <button type="button" onClick={() => setAsking(false)}>
          {t("ui.no")}
        </button>
      )}
      {error && <span class="bad-text">{error}</span>}
    </span>
  );
}
