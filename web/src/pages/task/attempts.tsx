import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../../api/client";
import { readText } from "../../api/stream";
import type { Attempt, Explain, Observed, OutputFile } from "../../api/types";
import { atFull, bytes, count, span } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { Emulated, Panel, Row } from "../../parts/bits";
import { LineChart } from "../../parts/chart";
import { errorText } from "../../parts/states";
import { Numbered } from "./begin";
import { cpuSeries, memorySeries } from "./usage";

export function AttemptsSection({ record, grid }: { record: Explain; grid: GridView | null }) {
  const { attempts } = record;
  const [picked, setPicked] = useState<string | null>(null);
  const shown = attempts.find((one) => one.attempt_id === picked) ?? attempts.at(-1);
  return (
    <Panel id="attempts" class="station-panel" title={<Numbered n={4}>{t("ui.road.attempts")}</Numbered>} side={shown ? <Emulated show={shown.emulated} /> : null}>
      {!shown && <p class="muted">{t("ui.attempt.none")}</p>}
      {attempts.length > 1 && (
        <div class="generations" role="tablist" aria-label={t("ui.road.attempts")}>
          {attempts.map((one) => (
            <button type="button" role="tab" aria-selected={one === shown} class={one === shown ? "on" : ""} onClick={() => setPicked(one.attempt_id)}>
              <b>#{one.fence}</b> {siteName(grid, one.site)} <Outcome attempt={one} />
            </button>
          ))}
        </div>
      )}
      {shown && <AttemptView key={shown.attempt_id} attempt={shown} record={record} grid={grid} />}
    </Panel>
  );
}

function Outcome({ attempt }: { attempt: Attempt }) {
  if (attempt.succeeded === null) return <span class="chip phase-running"><i />{t("ui.attempt.live")}</span>;
  if (attempt.succeeded) return <span class="chip phase-succeeded"><i />{t("ui.attempt.succeeded")}</span>;
  return <span class="chip phase-failed"><i />{attempt.reason ? word("failure", attempt.reason) : t("ui.attempt.failed")}</span>;
}

function AttemptView({ attempt, record, grid }: { attempt: Attempt; record: Explain; grid: GridView | null }) {
  const events = record.observed.filter((one) => one.event.attempt_id === attempt.attempt_id);
  return (
    <div class="attempt">
      <div class="attempt-left">
        <dl class="rows">
          <Row name={t("ui.attempt.outcome")}>
            <Outcome attempt={attempt} />
          </Row>
          <Row name={t("ui.plan.place")}>{siteName(grid, attempt.site)} · {attempt.pool.split("/")[1]}</Row>
          <Row name={t("ui.attempt.fence")}>{attempt.fence}</Row>
          <Row name={t("ui.attempt.opened")}>{atFull(attempt.opened_us)}</Row>
          {attempt.closed_us !== null && <Row name={t("ui.attempt.closed")}>{atFull(attempt.closed_us)}</Row>}
          {attempt.exit_code !== null && <Row name={t("ui.attempt.exit_code")}>{attempt.exit_code}</Row>}
          {attempt.signal !== null && <Row name={t("ui.attempt.signal")}>{attempt.signal}</Row>}
          {attempt.detail && <Row name={t("ui.attempt.detail")}>{attempt.detail}</Row>}
        </dl>
        <UsageCharts events={events} leased={leased(record, attempt, grid)} attempt={attempt} />
        <Outputs taskId={record.task.task_id} files={attempt.outputs} />
      </div>
      <Logs taskId={record.task.task_id} attempt={attempt} />
    </div>
  );
}

interface UsageProps {
  events: readonly Observed[];
  leased: { cores: number; memory: number };
  attempt: Attempt;
}

/** What the lease of an attempt holds: of whole servers, all that is in them. */
function leased(record: Explain, attempt: Attempt, grid: GridView | null): UsageProps["leased"] {
  const plan = record.plans.find((one) => one.plan.plan_id === attempt.plan_id)?.plan;
  const pool = grid?.pools.get(attempt.pool)?.pool;
  if (!plan) return { cores: 0, memory: 0 };
  const { cores, memory_bytes, nodes } = plan.demand;
  return { cores: cores || nodes * (pool?.cores_per_node ?? 0), memory: memory_bytes || nodes * (pool?.memory_bytes_per_node ?? 0) };
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function UsageCharts({ events, leased: { cores, memory: most }, attempt }: UsageProps) {
  const cpu = cpuSeries(events);
  const memory = memorySeries(events);
  // The axis is in the unit itself, so that its steps are round.
  const [unit, size] = Math.max(most, ...memory.map(([, value]) => value)) >= 2 * GIB ? (["GiB", GIB] as const) : (["MiB", MIB] as const);
  const { usage } = attempt;
  return (
    <>
      <h3>{t("ui.usage.title")}</h3>
      {cpu.length > 1 ? (
        <div class="charts">
          <LineChart
            title={t("ui.usage.cpu")}
            series={[{ name: t("ui.usage.cpu"), colour: "#39c5ff", points: cpu }]}
            {...(cores ? { limit: { value: cores, name: t("ui.usage.leased_cores", { count: count(cores) }) } } : {})}
            yFormat={(value) => String(Number(value.toFixed(2)))}
            xFormat={(value) => span(value)}
          />
          <LineChart
            title={t("ui.usage.memory")}
            series={[{ name: t("ui.usage.memory"), colour: "#b094ff", points: memory.map(([x, y]) => [x, y / size]) }]}
            {...(most ? { limit: { value: most / size, name: t("ui.usage.leased_memory", { size: bytes(most) }) } } : {})}
            yFormat={(value) => `${Number(value.toFixed(2))} ${unit}`}
            xFormat={(value) => span(value)}
          />
        </div>
      ) : (
        usage.wall_us === 0 && <p class="muted">{t("ui.usage.none")}</p>
      )}
      {usage.wall_us > 0 && (
        <dl class="rows cols">
          <Row name={t("ui.usage.wall")}>{span(usage.wall_us)}</Row>
          <Row name={t("ui.usage.core_time")}>{span(usage.core_us)}</Row>
          <Row name={t("ui.usage.peak")}>{bytes(usage.memory_peak_bytes)}</Row>
          <Row name={t("ui.usage.io")}>{`${bytes(usage.bytes_in)} / ${bytes(usage.bytes_out)}`}</Row>
          <Row name={t("ui.usage.processes")}>{count(usage.processes_peak)}</Row>
        </dl>
      )}
    </>
  );
}

function Outputs({ taskId, files }: { taskId: string; files: readonly OutputFile[] }) {
  const [error, setError] = useState("");
  if (!files.length) return null;
  const fetchOne = async (file: OutputFile): Promise<void> => {
    try {
      const response = await api.output(taskId, file.path);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = file.path.split("/").pop() ?? "output";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      setError("");
    } catch (problem) {
      setError(errorText(problem as Error));
    }
  };
  return (
    <>
      <h3>{t("ui.field.outputs")}</h3>
      <ul class="outputs">
        {files.map((file) => (
          <li>
            <button type="button" class="link" onClick={() => void fetchOne(file)} title={`blake3 ${file.blake3}`}>
              ↓ {file.path}
            </button>
            <span class="muted num">{bytes(file.size_bytes)}</span>
            {file.target && <span class="muted">→ {file.target}</span>}
          </li>
        ))}
      </ul>
      {error && <p class="bad-text">{error}</p>}
    </>
  );
}

/** More than this is cut from the front: the whole is in the grid, and a page is no place for it. */
const LOG_CHARS_MAX = 400_000;
const DRAW_MS = 120;

function Logs({ taskId, attempt }: { taskId: string; attempt: Attempt }) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [stick, setStick] = useState(true);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const stop = new AbortController();
    let all = "";
    let timer = 0;
    const take = (piece: string): void => {
      all = (all + piece).slice(-LOG_CHARS_MAX);
      timer ||= window.setTimeout(() => {
        timer = 0;
        setText(all);
      }, DRAW_MS);
    };
    const path = `/tasks/${encodeURIComponent(taskId)}/logs?follow=1&attempt=${encodeURIComponent(attempt.attempt_id)}`;
    readText(path, stop.signal, take).catch((problem: Error) => {
      if (!stop.signal.aborted) setError(errorText(problem));
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    if (stick && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, stick]);
  return (
    <div class="logs">
      <div class="logs-head">
        <h3>{t("ui.logs.title")}</h3>
        <label>
          <input type="checkbox" checked={stick} onChange={(event) => setStick(event.currentTarget.checked)} /> {t("ui.logs.follow")}
        </label>
      </div>
      <pre ref={box} tabIndex={0} aria-label={t("ui.logs.title")}>
        {text || (error ? "" : attempt.closed_us === null ? t("ui.logs.waiting") : t("ui.logs.empty"))}
        {error && <span class="bad-text">{error}</span>}
      </pre>
    </div>
  );
}
