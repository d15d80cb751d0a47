import { useEffect, useRef } from "preact/hooks";
import { useNow } from "../core/clock";
import { atFull } from "../core/format";
import { LANG_NAMES, LANGS, langStore, setLang, t, word, type Lang } from "../core/i18n";
import { routeStore } from "../core/router";
import { setKey } from "../core/session";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";

const PAGES = [
  ["", "#/", "ui.nav.panorama"],
  ["tasks", "#/tasks", "ui.nav.tasks"],
  ["new", "#/new", "ui.nav.new"],
  ["services", "#/services", "ui.nav.services"],
  ["bill", "#/bill", "ui.nav.bill"],
  ["tenants", "#/tenants", "ui.nav.tenants"],
  ["grid", "#/grid", "ui.nav.grid"],
  ["network", "#/network", "ui.nav.network"],
  ["what-if", "#/what-if", "ui.nav.what_if"],
] as const;

export function TopBar() {
  const { page } = useStore(routeStore);
  const who = useStore(whoStore);
  const nav = useRef<HTMLElement>(null);
  // On a narrow screen the row of pages is pushed aside, and the one that is open may be out of sight.
  useEffect(() => nav.current?.querySelector(".on")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [page, who?.role]);
  return (
    <header class="top">
      <a class="skip" href="#main" onClick={skip}>
        {t("ui.nav.skip")}
      </a>
      <a class="brand" href="#/" aria-label="Suanwang">
        <Mark />
        <span class="brand-han">算網</span>
        <span class="brand-latin">Suanwang</span>
      </a>
      <nav ref={nav} aria-label={t("ui.nav.label")}>
        {PAGES.filter(([name]) => name !== "what-if" || who?.role === "operator").map(([name, href, key]) => (
          <a href={href} class={page === name ? "on" : ""} aria-current={page === name ? "page" : undefined}>
            {t(key)}
          </a>
        ))}
      </nav>
      <div class="top-right">
        <Clock />
        {who && (
          <span class="who" title={who.key_id}>
            <b>{who.tenant}</b>
            <small>{word("ui.role", who.role)}</small>
          </span>
        )}
        <LangSelect />
        <button type="button" class="quiet" onClick={() => setKey(null)}>
          {t("ui.nav.leave")}
        </button>
      </div>
    </header>
  );
}

/** The address bar holds the route, so a plain anchor to #main would leave the page. */
function skip(event: Event): void {
  event.preventDefault();
  const main = document.getElementById("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

function Clock() {
  return <time class="clock num">{atFull(useNow())}</time>;
}

export function LangSelect() {
  const lang = useStore(langStore);
  return (
    <select
      class="lang"
      aria-label={t("ui.nav.language")}
      value={lang}
      onChange={(event) => void setLang(event.currentTarget.value as Lang)}
    >
      {LANGS.map((one) => (
        <option value={one}>{LANG_NAMES[one]}</option>
      ))}
    </select>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <g stroke="#2f9fd6" stroke-width="1.6" fill="none">
        <path d="M16 5 6 12v10l10 5 10-5V12zM16 5v22M6 12l20 10M26 12 6 22" />
      </g>
      <g fill="#62d6ff">
        <circle cx="16" cy="5" r="2.7" />
        <circle cx="6" cy="12" r="2.2" />
        <circle cx="26" cy="12" r="2.2" />
        <circle cx="6" cy="22" r="2.2" />
        <circle cx="26" cy="22" r="2.2" />
        <circle cx="16" cy="27" r="2.4" />
      </g>
      <circle cx="16" cy="16" r="3.6" fill="#ffb648" />
    </svg>
  );
}
