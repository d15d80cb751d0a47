// The states that are not the happy one: loading, empty, refused, not there, offline.

import type { ComponentChildren } from "preact";
import { ApiError, OfflineError } from "../api/client";
import { t, wordOrNull } from "../core/i18n";

export function Loading() {
  return (
    <div class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      {t("ui.state.loading")}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="state empty">{children}</div>;
}

export function OfflineBar() {
  return (
    <div class="offline" role="alert">
      {t("ui.state.offline")}
    </div>
  );
}

export function NotFound() {
  return (
    <div class="page">
      <div class="state">
        <h1>{t("ui.state.not_found")}</h1>
        <a href="#/">{t("ui.nav.panorama")}</a>
      </div>
    </div>
  );
}

/** The words for an error: ours where the catalogue has its code, else the brain's. */
export function errorText(error: Error): string {
  if (error instanceof OfflineError) return t("ui.state.offline");
  if (!(error instanceof ApiError)) return error.message;
  if (error.status === 403) return t("ui.state.not_allowed");
  if (error.status === 404) return t("ui.state.not_found");
  return error.problem.detail ?? error.problem.title ?? t("ui.state.failed", { status: error.status });
}

export function ErrorBox({ error, again }: { error: Error; again?: () => void }) {
  return (
    <div class="state bad" role="alert">
      <p>{errorText(error)}</p>
      {again && (
        <button type="button" onClick={again}>
          {t("ui.state.again")}
        </button>
      )}
    </div>
  );
}

/** Every fault of a document, with its line. */
export function Faults({ error }: { error: Error }) {
  const faults = error instanceof ApiError ? (error.problem.faults ?? []) : [];
  if (!faults.length) return <ErrorBox error={error} />;
  return (
    <div class="faults" role="alert">
      <h3>{t("ui.new.faults", { count: faults.length })}</h3>
      <ul>
        {faults.map((fault) => (
          <li>
            <code>{fault.where || "·"}</code>
            {fault.line !== null && <span class="muted">{t("ui.new.line", { line: fault.line })}</span>}
            <span>{(fault.params && fault.code && wordOrNull(`fault.${fault.code}`, { ...fault.params, got: fault.got, where: fault.where })) || fault.text}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
