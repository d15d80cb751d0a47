// Texts in three languages, from the one catalogue in src/suanwang/texts. Only the language in use is fetched.

import type en from "../../../src/suanwang/texts/ui.en.json";
import type network from "../../../src/suanwang/texts/ui_network.en.json";
import type services from "../../../src/suanwang/texts/ui_services.en.json";
import type whatIf from "../../../src/suanwang/texts/ui_what_if.en.json";
import { createStore, useStore } from "./store";

export type UiKey = keyof typeof en | keyof typeof network | keyof typeof services | keyof typeof whatIf;
export const LANGS = ["en", "zh-hant", "zh-hans"] as const;
export type Lang = (typeof LANGS)[number];
export const LANG_NAMES: Record<Lang, string> = { en: "English", "zh-hant": "正體中文", "zh-hans": "简体中文" };
const HTML_LANG: Record<Lang, string> = { en: "en", "zh-hant": "zh-Hant", "zh-hans": "zh-Hans" };
const STORED = "suanwang.lang";

type Catalogue = Record<string, string>;
const files = import.meta.glob<Catalogue>("../../../src/suanwang/texts/*.json", { import: "default" });
let catalogue: Catalogue = {};

export function defaultLang(wanted: readonly string[]): Lang {
  for (const one of wanted) {
    const tag = one.toLowerCase();
    if (/^zh-(tw|hk|mo|hant)/.test(tag)) return "zh-hant";
    if (tag.startsWith("zh")) return "zh-hans";
    if (tag.startsWith("en")) return "en";
  }
  return "en";
}

function stored(): Lang | null {
  const value = localStorage.getItem(STORED);
  return LANGS.find((one) => one === value) ?? null;
}

export const langStore = createStore<Lang>("en");

async function load(lang: Lang): Promise<void> {
  const wanted = Object.keys(files).filter((path) => path.endsWith(`/${lang}.json`) || path.endsWith(`.${lang}.json`));
  const parts = await Promise.all(wanted.map((path) => (files[path] as () => Promise<Catalogue>)()));
  catalogue = Object.assign({}, ...parts) as Catalogue;
  document.documentElement.lang = HTML_LANG[lang];
}

export async function startLang(): Promise<void> {
  const lang = stored() ?? defaultLang(navigator.languages);
  await load(lang);
  langStore.set(lang);
}

export async function setLang(lang: Lang): Promise<void> {
  localStorage.setItem(STORED, lang);
  await load(lang);
  langStore.set(lang);
}

export const useLang = (): Lang => useStore(langStore);
export const htmlLang = (): string => HTML_LANG[langStore.get()];

function fill(template: string, params: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

/** One of the three languages that an answer brings along. */
export function told(texts: { en: string; zh_hant: string; zh_hans: string }): string {
  const lang = langStore.get();
  return lang === "en" ? texts.en : lang === "zh-hant" ? texts.zh_hant : texts.zh_hans;
}

/** A text of the page itself: its key is checked by the compiler. */
export function t(key: UiKey, params: Record<string, string | number> = {}): string {
  return fill(catalogue[key] ?? key, params);
}

// The model's words stand alone here, in cells and chips; in the terminal they stand inside sentences.
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A text of the model (`pool_reason.latency`): the word itself, made readable, where no text is there. */
export function word(group: string, name: string, params: Record<string, string | number> = {}): string {
  const text = catalogue[`${group}.${name}`];
  return capital(text ? fill(text, params) : name.replaceAll("_", " "));
}

/** Like `word`, but null where the catalogue has none. */
export function wordOrNull(key: string, params: Record<string, string | number> = {}): string | null {
  const text = catalogue[key];
  return text ? fill(text, params) : null;
}
