import { useEffect, useRef, useState } from "preact/hooks";
import type { TaskRoute } from "../api/network-types";
import type { Alternative, Plan } from "../api/types";
import type { GridView } from "../core/grid";
import { t } from "../core/i18n";
import type { PathMap } from "../map/path-map";

interface PathBoxProps {
  grid: GridView;
  plan: Plan | null;
  alternatives: readonly Alternative[];
  moving: boolean;
  route: TaskRoute | null;
}

/** The map of one plan; ECharts comes only now. */
export function PathBox({ grid, plan, alternatives, moving, route }: PathBoxProps) {
  const el = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<PathMap | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let over = false;
    let made: PathMap | null = null;
    const host = el.current as HTMLDivElement;
    // A box on its way out of the page has no size; a canvas of none cannot be drawn.
    const watch = new ResizeObserver(() => host.clientHeight > 0 && host.clientWidth > 0 && made?.resize());
    import("../map/path-map")
      .then(({ PathMap }) => PathMap.create(host, grid))
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
  // Drawn again only for another plan: a task's page reads its record often, and each drawing resets the view.
  const what = `${plan?.plan_id}/${plan?.pool}/${plan?.start_us}/${alternatives.map((one) => one.pool).join()}/${moving}/${JSON.stringify(route?.policies)}`;
  useEffect(() => map?.show(plan, alternatives, moving, route), [map, what]);
  return (
    <div class="path-box">
      <div class="map" ref={el} role="img" aria-label={t("ui.plan.map")} data-ready={map ? "yes" : "no"} />
      {failed && <p class="map-note bad-text">{t("ui.map.failed")}</p>}
      <div class="path-legend">
        <span>
          <i class="ln ln-path" /> {t("ui.plan.path")}
        </span>
        {plan?.data.some((move) => move.path.links.length > 0) && (
          <span>
            <i class="ln ln-data" /> {t("ui.plan.data")}
          </span>
        )}
        {plan?.standby && (
          <span>
            <i class="ln ln-standby" /> {t("ui.plan.standby")}
          </span>
        )}
        {route?.policies.some((policy) => policy.ways.some((one) => one.standby)) && (
          <span>
            <i class="ln ln-spare" /> {t("ui.route.standby")}
          </span>
        )}
        {alternatives.length > 0 && (
          <span>
            <i class="sym sym-alt" /> {t("ui.plan.alternatives")}
          </span>
        )}
      </div>
    </div>
  );
}
