import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { follow } from "../api/stream";
import type { Panorama } from "../api/types";
import { gridStore, needGrid, type GridView } from "../core/grid";
import { useStore } from "../core/store";
import { t } from "../core/i18n";
import { foldPanorama } from "../map/fold";
import type { PanoramaMap } from "../map/panorama-map";
import { ErrorBox, Loading } from "../parts/states";
import { Legend } from "./panorama/legend";
import { KpiStrip } from "./panorama/kpis";
import { WhatIsScarce } from "./panorama/scarce";
import { BusiestLinks, LoadByTier, PhaseCounts, Ticker } from "./panorama/side";
import { SitePanel } from "./panorama/site-panel";

/** The picture, kept up to date by the stream. */
function usePanorama(): { picture: Panorama | null; error: Error | null } {
  const [picture, setPicture] = useState<Panorama | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    let latest: Panorama | null = null;
    const take = (next: Panorama): void => {
      latest = foldPanorama(latest, next);
      setPicture(latest);
    };
    const run = async (): Promise<void> => {
      try {
        take(await api.panorama());
      } catch (problem) {
        if (problem instanceof ApiError) return setError(problem);
      }
      await follow("/panorama/stream", stop.signal, (message) => {
        if (message.event === "panorama" || message.event === "message") take(JSON.parse(message.data) as Panorama);
      });
    };
    void run();
    return () => stop.abort();
  }, []);
  return { picture, error };
}

export function PanoramaPage() {
  const grid = useStore(gridStore);
  const [gridError, setGridError] = useState<Error | null>(null);
  const { picture, error } = usePanorama();
  const [picked, setPicked] = useState<string | null>(null);
  useEffect(() => void needGrid().catch(setGridError), []);
  const problem = error ?? (grid ? null : gridError);
  if (problem) return <ErrorBox error={problem} again={() => location.reload()} />;
  if (!grid || !picture) return <Loading />;
  return (
    <div class="panorama">
      <h1 class="sr">{t("ui.nav.panorama")}</h1>
      <KpiStrip picture={picture} />
      <div class="panorama-main">
        <aside class="column">
          <PhaseCounts picture={picture} />
          <LoadByTier grid={grid} picture={picture} onPick={setPicked} />
          <BusiestLinks grid={grid} picture={picture} />
        </aside>
        <MapBox grid={grid} picture={picture} picked={picked} onPick={setPicked} />
        <aside class="column">
          {picked ? (
            <SitePanel grid={grid} picture={picture} id={picked} onClose={() => setPicked(null)} />
          ) : (
            <>
              <WhatIsScarce grid={grid} picture={picture} onPick={setPicked} />
              <Ticker grid={grid} picture={picture} />
            </>
          )}
        </aside>
      </div>
    </div>
  );
}

interface MapBoxProps {
  grid: GridView;
  picture: Panorama;
  picked: string | null;
  onPick: (id: string | null) => void;
}

function MapBox({ grid, picture, picked, onPick }: MapBoxProps) {
  const el = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<PanoramaMap | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let over = false;
    let made: PanoramaMap | null = null;
    const host = el.current as HTMLDivElement;
    // A box on its way out of the page has no size; a canvas of none cannot be drawn.
    const watch = new ResizeObserver(() => host.clientHeight > 0 && host.clientWidth > 0 && made?.resize());
    import("../map/panorama-map")
      .then(({ PanoramaMap }) => PanoramaMap.create(host, grid, onPick))
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
  const state = useMemo(
    () => ({
      sites: new Map(picture.sites.map((one) => [one.id, one])),
      links: new Map(picture.links.map((one) => [one.id, one])),
      flows: picture.flows,
    }),
    [picture],
  );
  useEffect(() => map?.update(state, picked), [map, state, picked]);
  return (
    <section class="map-box" aria-label={t("ui.map.label")}>
      <div class="map" ref={el} data-ready={map ? "yes" : "no"} />
      {failed && <p class="map-note bad-text">{t("ui.map.failed")}</p>}
      <div class="map-title">
        <b>{grid.grid.name}</b>
        <span class="num">{t("ui.map.version", { version: grid.grid.version, position: picture.position })}</span>
      </div>
      <Legend />
    </section>
  );
}
