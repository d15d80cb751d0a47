import { render } from "preact";
import { App } from "./app";
import { startLang } from "./core/i18n";
import { startRouter } from "./core/router";
import { startSession } from "./core/session";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";
import "./styles/panorama.css";
import "./styles/task.css";
import "./styles/what-if.css";
import "./styles/tenants.css";
import "./styles/network.css";
import "./styles/narrow.css";

startSession();
startRouter();
await startLang();
render(<App />, document.getElementById("app") as HTMLElement);
