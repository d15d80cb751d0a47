import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/suanwang/api/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing inline: the page lives under a strict content security policy
    modulePreload: { polyfill: false }, // the polyfill is an inline script
    chunkSizeWarningLimit: 900, // ECharts is one chunk, loaded only with a map or a chart
  },
  server: {
    port: 5173,
    fs: { allow: [".."] },
    proxy: { "/v1": "http://127.0.0.1:8791" },
  },
});
