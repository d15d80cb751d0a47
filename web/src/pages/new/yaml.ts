// Write a request as YAML. Only writing: what a person types goes to the brain as it is, which names every fault by line.

const PLAIN = /^[A-Za-z_./][A-Za-z0-9_ ./:@+-]*$/;
const WORDS = new Set(["true", "false", "yes", "no", "on", "off", "null", "y", "n"]);

function scalar(value: unknown, indent: string): string {
  if (typeof value !== "string") return JSON.stringify(value);
  if (value.includes("\n")) {
    const lines = value.replace(/\n$/, "").split("\n");
    const keep = value.endsWith("\n") ? "|" : "|-";
    // An indent figure is needed where the first line starts with a space.
    const hint = /^\s/.test(value) ? "2" : "";
    return `${keep[0]}${hint}${keep.slice(1)}\n${lines.map((line) => (line ? `${indent}  ${line}` : "")).join("\n")}`;
  }
  const plain = PLAIN.test(value) && !/: |:$| #|\s$/.test(value) && !WORDS.has(value.toLowerCase());
  const amount = /^\d+(\.\d+)? [A-Za-z]+$/.test(value);
  return plain || amount ? value : JSON.stringify(value);
}

/** `value` as YAML block text; arrays of plain words stay on one line. */
export function toYaml(value: Record<string, unknown>, indent = ""): string {
  return Object.entries(value)
    .map(([key, one]) => `${indent}${scalar(key, indent)}:${after(one, indent)}`)
    .join("");
}

function after(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== "object")) return ` [${value.map((one) => scalar(one, indent)).join(", ")}]\n`;
    return `\n${value.map((one) => item(one as Record<string, unknown>, indent)).join("")}`;
  }
  if (typeof value === "object" && value !== null) return `\n${toYaml(value as Record<string, unknown>, `${indent}  `)}`;
  return ` ${scalar(value, indent)}\n`;
}

function item(value: Record<string, unknown>, indent: string): string {
  return `${indent}  - ${toYaml(value, `${indent}    `).trimStart()}`;
}
