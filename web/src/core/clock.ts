// The brain's clock, as far as this page knows it: the local clock plus the offset seen at the first answer.

import { useEffect, useState } from "preact/hooks";

let offsetUs = 0;

export function setServerNow(nowUs: number): void {
  offsetUs = nowUs - Date.now() * 1000;
}

export const nowUs = (): number => Date.now() * 1000 + offsetUs;

/** The current time, again every `everyMs`. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(nowUs());
  useEffect(() => {
    const timer = setInterval(() => setNow(nowUs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
