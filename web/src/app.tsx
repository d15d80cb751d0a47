import { useEffect } from "preact/hooks";
import { api, keyRefusedStore, OfflineError, offlineStore } from "./api/client";
import { setServerNow } from "./core/clock";
import { useLang } from "./core/i18n";
import { routeStore } from "./core/router";
import { keyStore } from "./core/session";
import { useStore } from "./core/store";
import { whoStore } from "./core/who";
import { BillPage } from "./pages/bill";
import { GridPage } from "./pages/grid";
import { LoginPage } from "./pages/login";
import { NetworkPage } from "./pages/network";
import { NewTaskPage } from "./pages/new-task";
import { PanoramaPage } from "./pages/panorama";
import { ServicePage } from "./pages/service";
import { ServicesPage } from "./pages/services";
import { TaskPage } from "./pages/task";
import { TasksPage } from "./pages/tasks";
import { TenantsPage } from "./pages/tenants";
import { WhatIfPage } from "./pages/what-if";
import { OfflineBar } from "./parts/states";
import { TopBar } from "./parts/top-bar";
import { NotFound } from "./parts/states";

const RETRY_MS = 3000;

/** Ask who the key is; again while the brain does not answer. */
function useWho(key: string | null): void {
  useEffect(() => {
    let over = false;
    let timer = 0;
    const ask = async (): Promise<void> => {
      try {
        const who = await api.whoami();
        if (over) return;
        setServerNow(who.now_us);
        keyRefusedStore.set(false);
        whoStore.set(who);
      } catch (error) {
        if (!over && error instanceof OfflineError) timer = window.setTimeout(() => void ask(), RETRY_MS);
      }
    };
    whoStore.set(null);
    keyRefusedStore.set(false);
    if (key) void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [key]);
}

export function App() {
  const lang = useLang();
  const key = useStore(keyStore);
  const refused = useStore(keyRefusedStore);
  const offline = useStore(offlineStore);
  useWho(key);
  if (!key || refused) return <LoginPage refused={refused && key !== null} />;
  return (
    <div class="app" key={lang}>
      <TopBar />
      {offline && <OfflineBar />}
      <main id="main">
        <CurrentPage />
      </main>
    </div>
  );
}

function CurrentPage() {
  const route = useStore(routeStore);
  // By the key itself and not by what the brain says of it: that answer comes later, and what was shown would be lost.
  const scope = useStore(keyStore) ?? "";
  switch (route.page) {
    case "":
      return <PanoramaPage key={scope} />;
    case "tasks":
      return route.id ? <TaskPage key={route.id} id={route.id} /> : <TasksPage key={scope} query={route.query} />;
    case "new":
      return <NewTaskPage key={route.id ?? ""} from={route.id} />;
    case "services":
      return route.id ? <ServicePage key={route.id} id={route.id} /> : <ServicesPage />;
    case "bill":
      return <BillPage key={scope} />;
    case "network":
      return <NetworkPage key={scope} query={route.query} />;
    case "what-if":
      return <WhatIfPage key={scope} />;
    case "grid":
      return <GridPage />;
    case "tenants":
      return <TenantsPage key={scope} />;
    default:
      return <NotFound />;
  }
}
