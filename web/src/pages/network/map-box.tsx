import { useEffect, useRef, useState } from "preact/hooks";
import type { GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import type { NetworkMap, NetworkState } from "../../map/network-map";
import type { ColourBy } from "../network";

interface MapBoxProps {
  grid: GridView;
  state: NetworkState;
  onPick: (id: string) => void;
  marking: boolean;
  by: ColourBy;
  /** Null where no router reports what it carries. */
  onBy: ((by: ColourBy) => void) | null;
}

export function NetworkMapBox({ grid, state, onPick, marking, by, onBy }: MapBoxProps) {
  const el = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<NetworkMap | null>(null);
  const [failed, setFailed] = useState(false);
  const latest = useRef(onPick);
  latest.current = onPick; // the map is made once, and what a click means changes
  useEffect(() => {
    let over = false;
    let made: NetworkMap | null = null;
    const host = el.current as HTMLDivElement;
    // A box on its way out of the page has no size; a canvas of none cannot be drawn.
    const watch = new ResizeObserver(() => host.clientHeight > 0 && host.clientWidth > 0 && made?.resize());
    import("../../map/network-map")
      .then(({ NetworkMap }) => NetworkMap.create(host, grid, (id) => latest.current(id)))
      .then(
        (one) => {
          if (over) return one.dispose();
          made = one;
          watch.observe(host);
          setMap(one);
        },
        () => setFailed(true),
      );
    return () => {
      over = true;
      watch.disconnect();
      made?.dispose();
    };
  }, [grid]);
  useEffect(() => map?.update(state), [map, state.links, state.picked, state.risk, state.marked, state.ways, by]);
  const place = map && state.picked ? map.middle(state.picked) : null;
  return (
    <section class={`map-box network-map ${marking ? "marking" : ""}`} aria-label={t("ui.net.map")}>
      <div class="map" ref={el} data-ready={map ? "yes" : "no"} data-picked-at={place ? place.map(Math.round).join() : ""} />
      {failed && <p class="map-note bad-text">{t("ui.map.failed")}</p>}
      {onBy && (
        <div class="tabs map-tabs" role="group" aria-label={t("ui.net.colour")}>
          {(["held", "carried"] as const).map((one) => (
            <button type="button" aria-pressed={one === by} class={one === by ? "on" : ""} onClick={() => onBy(one)}>
              {t(`ui.net.by.${one}`)}
            </button>
          ))}
        </div>
      )}
      <NetworkLegend state={state} />
    </section>
  );
}

function NetworkLegend({ state }: { state: NetworkState }) {
  return (
    <div class="legend network-legend">
      <div class="legend-load">
        <h3>{t("ui.net.legend")}</h3>
        <i class="ramp" aria-hidden="true" />
        <small class="num">
          <b>0 %</b>
          <b>50 %</b>
          <b>100 %</b>
        </small>
      </div>
      <div>
        <span>
          <i class="ln ln-idle" aria-hidden="true" />
          {t("ui.net.legend.idle")}
        </span>
        <span>
          <i class="ln ln-down" aria-hidden="true" />
          {t("ui.net.legend.down")}
        </span>
        {state.risk && (
          <span>
            <i class="ln ln-risk" aria-hidden="true" />
            {t("ui.net.legend.risk")}
          </span>
        )}
        {state.marked.size > 0 && (
          <span>
            <i class="ln ln-marked" aria-hidden="true" />
            {t("ui.net.legend.marked")}
          </span>
        )}
      </div>
      {state.ways.length > 0 && (
        <div>
          <span>
            <i class="ln ln-before" aria-hidden="true" />
            {t("ui.net.legend.before")}
          </span>
          <span>
            <i class="ln ln-after" aria-hidden="true" />
            {t("ui.net.legend.after")}
          </span>
        </div>
      )}
    </div>
  );
}
