import { useState } from "preact/hooks";
import { t } from "../core/i18n";
import { setKey } from "../core/session";
import { keyRefusedStore } from "../api/client";
import { LangSelect, Mark } from "../parts/top-bar";

export function LoginPage({ refused }: { refused: boolean }) {
  const [text, setText] = useState("");
  const enter = (event: Event): void => {
    event.preventDefault();
    const key = text.trim();
    if (!key) return;
    keyRefusedStore.set(false);
    setKey(null); // the same key again is asked about again
    setKey(key);
  };
  return (
    <main class="login">
      <form onSubmit={enter}>
        <div class="brand">
          <Mark />
          <span class="brand-han">算網</span>
          <span class="brand-latin">Suanwang</span>
        </div>
        <p>{t("ui.login.lead")}</p>
        <label for="key">{t("ui.login.key")}</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="sw_…"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          aria-invalid={refused}
          autofocus
        />
        {refused && (
          <p class="bad-text" role="alert">
            {t("ui.login.refused")}
          </p>
        )}
        <button type="submit" class="primary">
          {t("ui.login.enter")}
        </button>
        <p class="muted">{t("ui.login.help")}</p>
        <LangSelect />
      </form>
    </main>
  );
}
