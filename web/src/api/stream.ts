// Streams over fetch: server-sent events and plain text. EventSource cannot send the key in a header.

import { ApiError, call } from "./client";

export interface Message {
  id: string;
  event: string;
  data: string;
}

/** Feed text in any pieces; whole messages come out. */
export function messageReader(emit: (message: Message) => void): (piece: string) => void {
  let rest = "";
  let id = "";
  let event = "message";
  let data: string[] = [];
  const line = (text: string): void => {
    if (text === "") {
      if (data.length) emit({ id, event, data: data.join("\n") });
      event = "message";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  };
  return (piece) => {
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop() ?? "";
    lines.forEach(line);
  };
}

async function pump(response: Response, take: (piece: string) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    take(value);
  }
}

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];

/** Follow an event stream until `end`, an abort, or a refusal; come back after a break where it left off. */
export async function follow(path: string, signal: AbortSignal, on: (message: Message) => void): Promise<void> {
  let lastId = "";
  let ended = false;
  let tries = 0;
  while (!signal.aborted && !ended) {
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId) headers["Last-Event-ID"] = lastId;
      const response = await call(path, { signal, headers });
      tries = 0;
      const read = messageReader((message) => {
        if (message.id) lastId = message.id;
        if (message.event === "end") ended = true;
        on(message);
      });
      await pump(response, read);
    } catch (error) {
      if (error instanceof ApiError && error.status < 500) return;
    }
    if (!ended) await wait(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] ?? 10_000, signal);
  }
}

/** Read a text stream to its end. */
export async function readText(path: string, signal: AbortSignal, take: (piece: string) => void): Promise<void> {
  const response = await call(path, { signal });
  await pump(response, take);
}
