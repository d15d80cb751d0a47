// Marking what is to be looked at, looking, and, said twice, doing it.

import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { CutFound, NetworkNow } from "../../api/network-types";
import { count, portion } from "../../core/format";
import type { GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { Panel } from "../../parts/bits";
import { Finder } from "../../parts/picker";
import { errorText } from "../../parts/states";
import { noMarks, type Marks } from "./cut";
import { linkName } from "./live";

const NAMED = 6; // links in a question; more are counted

interface CutPanelProps {
  grid: GridView;
  now: NetworkNow;
  marks: Marks;
  onMarks: (marks: Marks) => void;
  marking: boolean;
  onMarking: (on: boolean) => void;
  found: CutFound | null;
  onFound: (found: CutFound | null) => void;
  onCut: () => void;
}

export function CutPanel(props: CutPanelProps) {
  const { grid, now, marks, onMarks, marking, onMarking, found, onFound } = props;
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const any = marks.links.length + marks.risks.length > 0;
  const look = (): void => {
    setBusy(true);
    setSaid("");
    api
      .networkCut(marks.links, marks.risks)
      .then(
        (answer) => {
          setError("");
          onFound(answer);
        },
        (problem: Error) => setError(errorText(problem)),
      )
      .finally(() => setBusy(false));
  };
  const add = (part: Partial<Marks>): void => {
    setSaid("");
    onMarks({ links: [...new Set([...marks.links, ...(part.links ?? [])])], risks: [...new Set([...marks.risks, ...(part.risks ?? [])])] });
  };
  return (
    <Panel title={t("ui.net.cut")} class="cut-panel">
      <p class="muted">{t("ui.net.cut.lead")}</p>
      <button type="button" class={`mark-mode ${marking ? "on" : ""}`} aria-pressed={marking} onClick={() => onMarking(!marking)}>
        {t("ui.net.cut.pick")}
      </button>
      <div class="fields">
        <Finder label={t("ui.net.cut.add")} name="cut-link" placeholder={t("ui.net.find_hint")} known={now.links.filter((one) => one.up).map((one) => ({ id: one.id, name: linkName(grid, one) }))} onPick={(id) => add({ links: [id] })} />
        <label class="field">
          <span>{t("ui.net.cut.add_risk")}</span>
          <select name="cut-risk" value="" onChange={(event) => event.currentTarget.value && add({ risks: [event.currentTarget.value] })}>
            <option value="">{t("ui.net.cut.choose")}</option>
            {now.risk_groups.map((group) => (
              <option value={group}>{group}</option>
            ))}
          </select>
        </label>
      </div>
      {any && (
        <ul class="picked">
          {marks.links.map((id) => {
            const link = grid.links.get(id);
            return <Mark name={link ? linkName(grid, link) : id} onDrop={() => onMarks({ ...marks, links: marks.links.filter((one) => one !== id) })} />;
          })}
          {marks.risks.map((group) => (
            <Mark name={group} onDrop={() => onMarks({ ...marks, risks: marks.risks.filter((one) => one !== group) })} />
          ))}
        </ul>
      )}
      <p class="actions">
        <button type="button" class="primary" disabled={!any || busy} onClick={look}>
          {t("ui.net.cut.look")}
        </button>
        <button type="button" disabled={!any} onClick={() => onMarks(noMarks)}>
          {t("ui.net.cut.clear")}
        </button>
      </p>
      {error && (
        <p class="bad-text" role="alert">
          {error}
        </p>
      )}
      {found && found.cut.length === 0 && <p class="warn-text">{t("ui.net.cut.already")}</p>}
      {found && found.cut.length > 0 && (
        <p role="status">
          {t("ui.net.cut.short", { moved: count(found.moved), broken: count(found.broken), before: portion(found.mlu_before.use_ppm), after: portion(found.mlu_after.use_ppm) })}
        </p>
      )}
      {found && found.cut.length > 0 && <Really {...props} found={found} onSaid={setSaid} />}
      {said && (
        <p role="status" class="warn-text">
          {said}
        </p>
      )}
    </Panel>
  );
}

function Mark({ name, onDrop }: { name: string; onDrop: () => void }) {
  return (
    <li>
      {name}
      <button type="button" class="drop" aria-label={t("ui.net.cut.drop", { name })} onClick={onDrop}>
        ×
      </button>
    </li>
  );
}

/** Two steps: the first only asks. The links are those of the look, so what was seen is what is done. */
function Really({ grid, found, onMarks, onCut, onSaid }: CutPanelProps & { found: CutFound; onSaid: (text: string) => void }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const names = found.cut.map((id) => {
    const link = grid.links.get(id);
    return link ? linkName(grid, link) : id;
  });
  const list = names.length > NAMED ? `${names.slice(0, NAMED).join(", ")} … (${count(names.length)})` : names.join(", ");
  const cut = async (): Promise<void> => {
    setBusy(true);
    for (const [place, id] of found.cut.entries()) {
      try {
        await api.turnLink(id, "fail");
      } catch (problem) {
        const done = names.slice(0, place).join(", ") || t("ui.net.cut.none");
        onSaid(t("ui.net.cut.half", { done, link: names[place] ?? id, why: errorText(problem as Error) }));
        setBusy(false);
        setAsking(false);
        return onCut();
      }
    }
    onSaid(t("ui.net.cut.done", { links: list }));
    onMarks(noMarks);
    onCut();
  };
  if (!asking) {
    return (
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        {t("ui.net.cut.do", { count: count(found.cut.length) })}
      </button>
    );
  }
  return (
    <div role="alert" class="cut-sure">
      <p>{t("ui.net.cut.sure", { links: list, moved: count(found.moved), broken: count(found.broken) })}</p>
      <p class="actions">
        <button type="button" class="danger" disabled={busy} onClick={() => void cut()}>
          {t("ui.net.cut.do_now")}
        </button>
        <button type="button" disabled={busy} onClick={() => setAsking(false)}>
          {t("ui.no")}
        </button>
      </p>
    </div>
  );
}
