import type { PoolKind, Tier } from "../../api/types";
import { t } from "../../core/i18n";

const TIERS: Tier[] = ["hub", "western", "provincial", "edge"];
const KINDS: PoolKind[] = ["general", "ai", "hpc", "quantum"];

export function Legend() {
  return (
    <div class="legend">
      <div>
        <h3>{t("ui.legend.sites")}</h3>
        {TIERS.map((tier) => (
          <span>
            <i class={`sym sym-${tier}`} aria-hidden="true" />
            {t(`ui.tier.${tier}`)}
          </span>
        ))}
        <span>
          <i class="sym sym-third" aria-hidden="true" />
          {t("ui.site.third_party")}
        </span>
        <span>
          <i class="sym sym-busy" aria-hidden="true" />
          {t("ui.legend.busy")}
        </span>
        <span>
          <i class="sym sym-down" aria-hidden="true" />
          {t("ui.site.down")}
        </span>
      </div>
      <div>
        <h3>{t("ui.legend.links")}</h3>
        {(["otn", "ip", "satellite"] as const).map((kind) => (
          <span>
            <i class={`ln ln-${kind}`} aria-hidden="true" />
            {t(`ui.link.${kind}`)}
          </span>
        ))}
      </div>
      <div>
        <h3>{t("ui.legend.flows")}</h3>
        {KINDS.map((kind) => (
          <span>
            <i class={`dot kind-${kind}`} aria-hidden="true" />
            {t(`ui.kind.${kind}`)}
          </span>
        ))}
        <span>
          <i class="dot dot-data" aria-hidden="true" />
          {t("ui.legend.data")}
        </span>
      </div>
      <div class="legend-load">
        <h3>{t("ui.legend.load")}</h3>
        <i class="ramp" aria-hidden="true" />
        <small class="num">
          <b>0 %</b>
          <b>100 %</b>
        </small>
      </div>
    </div>
  );
}
