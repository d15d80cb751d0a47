// The network: what each direction of each link holds and carries, and what a cut would do before anything is done.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { CrossedWay, CutFound, LinkNow } from "../api/network-types";
import { gridStore, needGrid } from "../core/grid";
import { t } from "../core/i18n";
import { go, linkHref } from "../core/router";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import type { Side } from "../map/network-map";
import { ErrorBox, Loading } from "../parts/states";
import { noMarks, type Marks } from "./network/cut";
import { CutPanel } from "./network/cut-panel";
import { CutResult } from "./network/cut-result";
import { NetworkFigures } from "./network/figures";
import { LinkPanel } from "./network/link-panel";
import { carriedBy, useLive } from "./network/live";
import { NetworkMapBox } from "./network/map-box";
import { LinksPanel } from "./network/side";

export type ColourBy = "held" | "carried";
/** More paths than this hide each other and the map. */
const WAYS_DRAWN = 40;

export function NetworkPage({ query }: { query: URLSearchParams }) {
  const grid = useStore(gridStore);
  const operator = useStore(whoStore)?.role === "operator";
  const [gridError, setGridError] = useState<Error | null>(null);
  const { now, error, reports, again } = useLive();
  const [by, setBy] = useState<ColourBy>("held");
  const [risk, setRisk] = useState<string | null>(null);
  const [marking, setMarking] = useState(false);
  const [marks, setMarks] = useState<Marks>(noMarks);
  const [found, setFound] = useState<CutFound | null>(null);
  const [way, setWay] = useState<CrossedWay | null>(null);
  useEffect(() => void needGrid().catch(setGridError), []);
  const picked = query.get("link");
  const pick = (id: string | null): void => go(id ? linkHref(id) : "#/network");
  const mark = (next: Marks): void => {
    setMarks(next);
    setFound(null);
    setWay(null);
  };
  const toggle = (id: string): void => mark({ ...marks, links: marks.links.includes(id) ? marks.links.filter((one) => one !== id) : [...marks.links, id] });
  const carried = useMemo(() => carriedBy(reports), [reports]);
  const marked = useMemo(() => {
    const groups = new Set(marks.risks);
    return new Set([...marks.links, ...(now?.links ?? []).filter((one) => one.shared_risk_groups.some((group) => groups.has(group))).map((one) => one.id)]);
  }, [marks, now]);
  const ways = useMemo(() => (way ? [way] : (found?.ways ?? []).slice(0, WAYS_DRAWN)), [way, found]);
  const problem = (now ? null : error) ?? (grid ? null : gridError);
  if (problem) return <ErrorBox error={problem} again={again} />;
  if (!grid || !now) return <Loading />;
  const colour: ColourBy = carried.size ? by : "held";
  const bps = (link: LinkNow, side: Side): number | null => (colour === "held" ? link[side].held_bps : (carried.get(`${link.id}:${side}`)?.bandwidth_bps ?? null));
  const link = picked === null ? null : now.links.find((one) => one.id === picked);
  return (
    <div class="page network-page">
      <div class="page-head">
        <h1>{t("ui.nav.network")}</h1>
        <span class="muted">{t("ui.net.lead")}</span>
      </div>
      <NetworkFigures grid={grid} now={now} reports={reports} onPick={pick} />
      <div class="network-main">
        <div class="network-left">
          <NetworkMapBox
            grid={grid}
            state={{ links: now.links, bps, picked, risk, marked, ways }}
            onPick={(id) => (marking ? toggle(id) : pick(id))}
            marking={marking}
            by={colour}
            onBy={carried.size ? setBy : null}
          />
          {found && <CutResult grid={grid} found={found} shown={way} onShow={setWay} />}
        </div>
        <div class="network-side">
          {link && (
            <LinkPanel
              grid={grid}
              link={link}
              at={now.at_us}
              carried={carried}
              told={reports !== null}
              marked={marks.links.includes(link.id)}
              onMark={operator ? () => toggle(link.id) : null}
              onRisk={setRisk}
              onChanged={again}
              onClose={() => pick(null)}
            />
          )}
          {operator && (
            <CutPanel grid={grid} now={now} marks={marks} onMarks={mark} marking={marking} onMarking={setMarking} found={found} onFound={setFound} onCut={again} />
          )}
          {!link && <LinksPanel grid={grid} now={now} risk={risk} onRisk={setRisk} onPick={pick} />}
        </div>
      </div>
    </div>
  );
}
