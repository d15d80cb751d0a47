// The catalogue of services: group by group, searched as one types.

import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import { SERVICE_GROUPS, type ServiceGroup, type ServiceLine } from "../api/service-types";
import { t, told, word } from "../core/i18n";
import { useLoad } from "../core/load";
import { routeStore, serviceHref } from "../core/router";
import { Empty, ErrorBox, Loading } from "../parts/states";

/** Words may be in any of the three languages, whatever the page is in. */
function speaksOf(one: ServiceLine, words: string): boolean {
  const text = [one.id, ...Object.values(one.name), ...Object.values(one.about)].join("\n").toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function ServicesPage() {
  const { value, error, again } = useLoad(() => api.services(), []);
  const [words, setWords] = useState("");
  const [group, setGroup] = useState<ServiceGroup | null>(null);
  useEffect(() => {
    const asked = routeStore.get().query.get("group");
    setGroup(SERVICE_GROUPS.find((one) => one === asked) ?? null);
  }, []);
  if (error && !value) return <ErrorBox error={error} again={again} />;
  if (!value) return <Loading />;
  const found = value.items.filter((one) => (group === null || one.group === group) && speaksOf(one, words.trim()));
  return (
    <div class="page services-page">
      <div class="page-head">
        <div>
          <h1>{t("ui.nav.services")}</h1>
          <p class="muted">{t("ui.service.lead")}</p>
        </div>
        <input type="search" name="services" class="service-search" value={words} placeholder={t("ui.service.search")} aria-label={t("ui.service.search")} onInput={(event) => setWords(event.currentTarget.value)} />
      </div>
      <div class="service-groups" role="group" aria-label={t("ui.service.groups")}>
        <button type="button" class={group === null ? "on" : ""} aria-pressed={group === null} onClick={() => setGroup(null)}>
          {t("ui.service.all", { count: value.items.length })}
        </button>
        {SERVICE_GROUPS.map((one) => (
          <button type="button" class={group === one ? "on" : ""} aria-pressed={group === one} onClick={() => setGroup(group === one ? null : one)}>
            {word("service_group", one)} <small>{value.items.filter((line) => line.group === one).length}</small>
          </button>
        ))}
      </div>
      {found.length === 0 && <Empty>{t("ui.service.none")}</Empty>}
      {SERVICE_GROUPS.filter((one) => found.some((line) => line.group === one)).map((one) => (
        <section class="service-shelf">
          <h2>{word("service_group", one)}</h2>
          <div class="service-cards">
            {found
              .filter((line) => line.group === one)
              .map((line) => (
                <a class="service-card panel" href={serviceHref(line.id)}>
                  <b>{told(line.name)}</b>
                  <span>{told(line.about)}</span>
                  <code>{line.id}</code>
                </a>
              ))}
          </div>
        </section>
      ))}
    </div>
  );
}
