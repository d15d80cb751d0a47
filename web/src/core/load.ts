// Fetch something for a part of the page: the value, the error, and a way to ask again.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { OfflineError } from "../api/client";

export interface Loaded<T> {
  value: T | null;
  error: Error | null;
  loading: boolean;
  again: () => void;
}

const OFFLINE_RETRY_MS = 3000;

/** `deps` say what the answer is about: a change drops the old answer. `again` keeps it until the new one is there. */
export function useLoad<T>(fetcher: () => Promise<T>, deps: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; error: Error | null }>({ value: null, error: null });
  const [loading, setLoading] = useState(true);
  const turn = useRef(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  const again = useCallback(() => {
    const mine = ++turn.current;
    setLoading(true);
    latest.current().then(
      (value) => {
        if (mine !== turn.current) return;
        setState({ value, error: null });
        setLoading(false);
      },
      (error: Error) => {
        if (mine !== turn.current) return;
        setState((old) => ({ value: old.value, error }));
        setLoading(false);
        if (error instanceof OfflineError) setTimeout(() => mine === turn.current && again(), OFFLINE_RETRY_MS);
      },
    );
  }, []);
  useEffect(() => {
    setState({ value: null, error: null });
    again();
    return () => {
      turn.current++; // what is still on its way is about something else
    };
  }, deps);
  return { ...state, loading, again };
}
