// An operator changes a tenant's weight, quotas and budget. All other limits stay as they are.

import { useEffect, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Tenant } from "../../api/tenants";
import { t } from "../../core/i18n";
import { Panel } from "../../parts/bits";
import { ErrorBox, Faults, Loading } from "../../parts/states";

const LABELS = {
  weight: "ui.tenants.weight",
  cores_max: "ui.tenants.cores_max",
  cores_borrowed_max: "ui.tenants.cores_borrowed_max",
  cores_lent_max: "ui.tenants.cores_lent_max",
  accelerators_max: "ui.tenants.accelerators_max",
  accelerators_borrowed_max: "ui.tenants.accelerators_borrowed_max",
  accelerators_lent_max: "ui.tenants.accelerators_lent_max",
} as const;
type Figure = keyof typeof LABELS;
const FIGURES = Object.keys(LABELS) as Figure[];

interface ChangeProps {
  id: string;
  close: () => void;
  saved: () => void;
}

export function ChangeTenant({ id, close, saved }: ChangeProps) {
  const [tenant, setTenant] = useState<Tenant | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [note, setNote] = useState("");
  const [texts, setTexts] = useState<Record<string, string>>({});
  useEffect(() => {
    api.tenants().then(({ items }) => {
      const found = items.find((one) => one.id === id) ?? null;
      setTenant(found);
      if (found) setTexts(textsOf(found));
    }, setError);
  }, [id]);
  if (!tenant) return error ? <ErrorBox error={error} again={close} /> : <Loading />;
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const next = read(tenant, texts);
    if (!next) return setNote(t("ui.tenants.not_whole"));
    try {
      setTenant(await api.setTenant(next));
      setError(null);
      setNote(t("ui.tenants.saved"));
      saved();
    } catch (problem) {
      setNote("");
      setError(problem as Error);
    }
  };
  const type = (name: string, value: string): void => setTexts({ ...texts, [name]: value });
  return (
    <Panel
      title={t("ui.tenants.change_of", { name: tenant.name })}
      class="tenant-change"
      side={
        <button type="button" class="quiet" onClick={close}>
          {t("ui.tenants.close")}
        </button>
      }
    >
      <form class="tenant-form" onSubmit={(event) => void save(event)}>
        {FIGURES.map((name) => (
          <label>
            <span>{t(LABELS[name])}</span>
            <input name={name} inputMode="numeric" value={texts[name] ?? ""} onInput={(event) => type(name, event.currentTarget.value)} />
          </label>
        ))}
        <label>
          <span>{t("ui.tenants.budget_yuan")}</span>
          <input name="budget" inputMode="decimal" value={texts.budget ?? ""} onInput={(event) => type("budget", event.currentTarget.value)} />
        </label>
        <button type="submit">{t("ui.tenants.save")}</button>
        {note && <p role="status">{note}</p>}
      </form>
      {error && <Faults error={error} />}
    </Panel>
  );
}

function textsOf(tenant: Tenant): Record<string, string> {
  const out: Record<string, string> = { budget: tenant.budget_micro_yuan === null ? "" : String(tenant.budget_micro_yuan / 1e6) };
  for (const name of FIGURES) out[name] = String(tenant[name]);
  return out;
}

/** The tenant with what was typed, or null where that is no number: the brain says what else may be wrong. */
function read(tenant: Tenant, texts: Record<string, string>): Tenant | null {
  const out: Tenant = { ...tenant };
  for (const name of FIGURES) {
    const text = (texts[name] ?? "").trim();
    if (!/^[0-9]{1,10}$/.test(text)) return null;
    out[name] = Number(text);
  }
  const budget = (texts.budget ?? "").trim();
  if (budget && !/^[0-9]{1,12}([.][0-9]{1,6})?$/.test(budget)) return null;
  out.budget_micro_yuan = budget ? Math.round(Number(budget) * 1e6) : null;
  return out;
}
