// Of a task that a service made: its result, held against what the service promises.

import { api } from "../../api/client";
import { END_PHASES, type Explain } from "../../api/types";
import { t } from "../../core/i18n";
import { useLoad } from "../../core/load";
import { serviceHref } from "../../core/router";
import { Panel } from "../../parts/bits";
import { VerdictTable } from "../service/verdicts";

export function ServiceSection({ record }: { record: Explain }) {
  const { task } = record;
  const service = task.tags.service;
  const ended = (END_PHASES as readonly string[]).includes(task.phase);
  return service && ended && record.attempts.length > 0 ? <Result taskId={task.task_id} service={service} /> : null;
}

function Result({ taskId, service }: { taskId: string; service: string }) {
  const { value } = useLoad(() => api.serviceResult(taskId), [taskId]);
  if (!value) return null; // a tag of that name says nothing by itself
  return (
    <Panel id="service" title={t("ui.service.result")} side={<a href={serviceHref(service)}>{service}</a>}>
      <p class={value.ok ? "good-text outcome" : "bad-text outcome"}>{value.ok ? t("ui.service.as_expected") : t("ui.service.not_as_expected")}</p>
      <VerdictTable rows={value.verdicts} />
    </Panel>
  );
}
