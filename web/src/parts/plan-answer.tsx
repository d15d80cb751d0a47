// What a dry run answers: the faults of the request, or the plan with its price and its reasons.

import type { DryPlan } from "../api/types";
import type { GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { Emulated, Panel } from "./bits";
import { PlanView } from "./plan-view";
import { Empty, ErrorBox, Faults, Loading } from "./states";

interface AnswerProps {
  answer: DryPlan | null;
  error: Error | null;
  busy: boolean;
  grid: GridView | null;
  lead?: string; // what stands there before anything was asked
}

export function PlanAnswer({ answer, error, busy, grid, lead }: AnswerProps) {
  if (error) {
    return (
      <Panel title={t("ui.road.plan")}>
        <Faults error={error} />
      </Panel>
    );
  }
  if (!answer) {
    return <Panel title={t("ui.road.plan")}>{busy ? <Loading /> : <Empty>{lead ?? t("ui.new.lead")}</Empty>}</Panel>;
  }
  if (!grid) return <Loading />;
  const { plan, report, refusals } = answer;
  return (
    <Panel title={t("ui.road.plan")} side={<Emulated show={plan?.emulated ?? false} />}>
      {refusals.length > 0 && (
        <div class="refused">
          <p class="bad-text">{t("ui.new.would_refuse")}</p>
          <ul class="refusals">
            {refusals.map((one) => (
              <li>
                <b>{word("refusal", one.reason, { field: one.field, got: one.got, limit: one.limit })}</b> <code>{one.field}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      {(answer.parts ?? 1) > 1 && <p class="muted">{t("ui.parts.plan", { count: answer.parts ?? 1 })}</p>}
      {!plan && <p class="bad-text outcome">{report?.waits ? t("ui.new.would_wait") : t("ui.new.nothing_fits")}</p>}
      {plan || report ? <PlanView grid={grid} plan={plan} report={report} moving={plan !== null} /> : <ErrorBox error={new Error(t("ui.new.nothing_fits"))} />}
    </Panel>
  );
}
