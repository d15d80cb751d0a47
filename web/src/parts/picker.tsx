// One or some of many by a list that narrows as one types. What is chosen stands below as tags.

import { useEffect, useState } from "preact/hooks";
import { t } from "../core/i18n";

export interface Named {
  id: string;
  name: string;
}

interface PickerProps {
  label: string;
  known: readonly Named[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  name: string;
}

const shown = (one: Named): string => `${one.name} (${one.id})`;

export function Picker({ label, known, chosen, onChange, name }: PickerProps) {
  const nameOf = (id: string): string => known.find((one) => one.id === id)?.name ?? id;
  return (
    <div class="field wide">
      <Finder label={label} known={known} name={name} placeholder={t("ui.what_if.pick")} onPick={(id) => !chosen.includes(id) && onChange([...chosen, id])} />
      {chosen.length > 0 && (
        <ul class="picked">
          {chosen.map((id) => (
            <li>
              {nameOf(id)}
              <button type="button" class="drop" aria-label={t("ui.what_if.drop", { name: nameOf(id) })} onClick={() => onChange(chosen.filter((one) => one !== id))}>
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface FinderProps {
  label: string;
  known: readonly Named[];
  name: string;
  placeholder: string;
  onPick: (id: string) => void;
}

/** One that is named; the field is empty again afterwards. */
export function Finder({ label, known, name, placeholder, onPick }: FinderProps) {
  const [text, setText] = useState("");
  const take = (value: string): void => {
    const found = known.find((one) => one.id === value || shown(one) === value);
    setText(found ? "" : value);
    if (found) onPick(found.id);
  };
  // Who types before the grid has come picks when it comes.
  useEffect(() => {
    if (text) take(text);
  }, [known.length]);
  return (
    <label class="field">
      <span>{label}</span>
      <input name={name} list={`${name}-list`} value={text} placeholder={placeholder} autocomplete="off" spellcheck={false} onInput={(event) => take(event.currentTarget.value)} />
      <datalist id={`${name}-list`}>
        {known.map((one) => (
          <option value={shown(one)} />
        ))}
      </datalist>
    </label>
  );
}
