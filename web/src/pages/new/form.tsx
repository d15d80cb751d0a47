import { t } from "../../core/i18n";
import { Choice, Group, OriginField, Pairs, ProtectionPick, Text, type FormProps } from "./fields";

const RUNS = {
  command: "ffmpeg -i in.mp4 -vf scale=1280:-1 out.mp4",
  script: "print(sum(range(10**7)))",
  circuit: 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;',
};
const KINDS = ["", "general", "ai", "hpc", "quantum"] as const;
const LEVELS = ["1", "2", "3", "4", "5"];

export function TaskForm(props: FormProps) {
  const { draft, grid, change } = props;
  const quantum = draft.kind === "quantum";
  const dataSets = grid?.grid.data_sets ?? [];
  return (
    <>
      <div class="fields">
        <Text {...props} field="name" label="ui.field.name" hint="render-42" />
        <Choice
          {...props}
          field="preference"
          label="ui.field.preference"
          options={[
            ["cheapest", t("ui.preference.cheapest")],
            ["fastest", t("ui.preference.fastest")],
            ["greenest", t("ui.preference.greenest")],
          ]}
        />
        <div class="field wide">
          <div class="run-kinds" role="radiogroup" aria-label={t("ui.field.run")}>
            <span>{t("ui.field.run")}</span>
            {(["command", "script", "circuit"] as const).map((kind) => (
              <label>
                <input type="radio" name="runKind" checked={draft.runKind === kind} onChange={() => change(kind === "circuit" ? { runKind: kind, kind: "quantum" } : { runKind: kind })} /> {t(`ui.run.${kind}`)}
              </label>
            ))}
          </div>
          <textarea
            name="run"
            rows={draft.runKind === "command" ? 3 : 9}
            spellcheck={false}
            aria-label={t("ui.field.run")}
            placeholder={RUNS[draft.runKind]}
            value={draft.run}
            onInput={(event) => change({ run: event.currentTarget.value })}
          />
        </div>
      </div>
      <Group title={t("ui.new.resources")} open>
        <Choice {...props} field="kind" label="ui.field.kind" options={KINDS.map((kind) => [kind, kind ? t(`ui.kind.${kind}`) : t("ui.new.kind_auto")] as const)} />
        {quantum ? (
          <>
            <Text {...props} field="qubits" label="ui.field.qubits" />
            <Text {...props} field="shots" label="ui.field.shots" />
          </>
        ) : (
          <>
            <Text {...props} field="cpu" label="ui.field.cpu" />
            <Text {...props} field="memory" label="ui.field.memory" hint="4 GiB" />
            {draft.kind === "ai" && (
              <>
                <Text {...props} field="accelerator" label="ui.field.accelerator" list="accelerators" />
                <Text {...props} field="accelerators" label="ui.field.accelerators" />
                <datalist id="accelerators">
                  {[...new Set(grid?.grid.sites.flatMap((site) => site.pools.flatMap((pool) => pool.accelerator_model ?? [])) ?? [])].map((model) => (
                    <option value={model} />
                  ))}
                </datalist>
              </>
            )}
            <Text {...props} field="nodes" label="ui.field.nodes" />
            <Text {...props} field="disk" label="ui.field.disk" hint="1 GiB" />
          </>
        )}
        <Text {...props} field="wallTime" label="ui.field.wall_time" hint="10 min" />
        <Text {...props} field="array" label="ui.field.array" />
        {draft.array !== "1" && <Text {...props} field="spreadSites" label="ui.field.spread" />}
        {draft.array !== "1" && <Text {...props} field="perSite" label="ui.field.per_site" />}
        <label class="field check">
          <input type="checkbox" checked={draft.network} onChange={(event) => change({ network: event.currentTarget.checked })} /> {t("ui.field.network")}
        </label>
      </Group>
      <Group title={t("ui.new.place")} open>
        <OriginField {...props} />
        <Choice
          {...props}
          field="latency"
          label="ui.field.latency"
          options={[
            ["", t("ui.field.no_bound")],
            ["metro", t("ui.circle.metro")],
            ["provincial", t("ui.circle.provincial")],
            ["national", t("ui.circle.national")],
            ["span", t("ui.new.latency_span")],
          ]}
        />
        {draft.latency === "span" && <Text {...props} field="latencySpan" label="ui.new.latency_span" hint="12 ms" />}
        <Text {...props} field="bandwidth" label="ui.field.bandwidth" hint="500 Mbps" />
        <Choice {...props} field="securityLevel" label="ui.field.security_level" options={LEVELS.map((level) => [level, t("ui.site.level", { level })] as const)} />
        <Text {...props} field="residency" label="ui.field.residency" hint="CN-GD, CN-GX" />
        <Choice
          {...props}
          field="standby"
          label="ui.field.standby"
          options={[
            ["", t("ui.standby.none")],
            ["site", t("ui.standby.site")],
            ["region", t("ui.standby.region")],
          ]}
        />
        <ProtectionPick {...props} />
      </Group>
      <Group title={t("ui.new.limits")} open={Boolean(draft.deadline || draft.earliestStart || draft.priceLimit)}>
        <Text {...props} field="earliestStart" label="ui.field.earliest_start" type="datetime-local" />
        <Text {...props} field="deadline" label="ui.field.deadline" type="datetime-local" />
        <Text {...props} field="priceLimit" label="ui.field.price_limit" hint="12.5" />
        <label class="field check">
          <input type="checkbox" checked={draft.stopOnBudget} onChange={(event) => change({ stopOnBudget: event.currentTarget.checked })} /> {t("ui.field.stop_on_budget")}
        </label>
        <label class="field check">
          <input type="checkbox" checked={draft.preemptible} onChange={(event) => change({ preemptible: event.currentTarget.checked })} /> {t("ui.field.preemptible")}
        </label>
      </Group>
      <Group title={t("ui.new.data")} open={draft.inputs.length + draft.outputs.length > 0 || Boolean(draft.checkpoint)}>
        <Pairs {...props} field="inputs" label="ui.field.inputs" nameHint={t("ui.new.input_path")} valueHint={dataSets[0] ? `dataset:${dataSets[0].id}` : "https://…"} />
        <Pairs {...props} field="outputs" label="ui.field.outputs" nameHint={t("ui.new.output_path")} valueHint={t("ui.new.output_target")} />
        <Text {...props} field="checkpoint" label="ui.field.checkpoint" hint="state/*" />
        {draft.checkpoint && <Text {...props} field="checkpointEvery" label="ui.field.checkpoint_every" hint="1 min" />}
        {dataSets.length > 0 && (
          <p class="muted wide data-sets">
            {t("ui.new.data_sets")}{" "}
            {dataSets.slice(0, 12).map((one) => (
              <button type="button" class="tag" onClick={() => change({ inputs: [...draft.inputs, { name: one.id, value: `dataset:${one.id}` }] })}>
                + {one.id}
              </button>
            ))}
          </p>
        )}
      </Group>
      <Group title={t("ui.new.more")} open={[draft.environment, draft.secrets, draft.tags, draft.togetherWith, draft.apartFrom, draft.owners].some((one) => one.length > 0)}>
        <Text {...props} field="sites" label="ui.field.sites" />
        <Text {...props} field="owners" label="ui.field.owners" hint="own, third-party" />
        <Text {...props} field="image" label="ui.field.image" hint="host" />
        <Text {...props} field="retries" label="ui.field.retries" />
        <Text {...props} field="priority" label="ui.field.priority" />
        <Pairs {...props} field="environment" label="ui.field.environment" nameHint={t("ui.new.name")} valueHint={t("ui.new.value")} />
        <Pairs {...props} field="secrets" label="ui.field.secrets" nameHint={t("ui.new.name")} valueHint={t("ui.new.secret_value")} hidden />
        <Pairs {...props} field="tags" label="ui.field.tags" nameHint={t("ui.new.name")} valueHint={t("ui.new.value")} />
        <Pairs {...props} field="togetherWith" label="ui.field.together_with" nameHint={t("ui.new.name")} valueHint={t("ui.new.value")} />
        <Pairs {...props} field="apartFrom" label="ui.field.apart_from" nameHint={t("ui.new.name")} valueHint={t("ui.new.value")} />
      </Group>
    </>
  );
}
