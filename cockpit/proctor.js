// The page: which view is open, on which bus, light or dark.
import { el } from "./dom.js";
import { Proctor } from "./bus.js";
import { TreeView } from "./tree.js";
import { ChildView, SupervisorView } from "./child.js";
import { JobsView, TimersView } from "./jobs.js";
import { ShutdownView, note } from "./shutdown.js";

const VIEWS = [["tree", "Tree"], ["jobs", "Jobs"], ["timers", "Timers"], ["shutdown", "Shutdown"]];
const MAKERS = {
    tree: (...args) => new TreeView(...args), child: (...args) => new ChildView(...args),
    supervisor: (...args) => new SupervisorView(...args), jobs: (...args) => new JobsView(...args),
    timers: (...args) => new TimersView(...args), shutdown: (...args) => new ShutdownView(...args)
};
const page = { proctor: null, bus: null, view: null };

function here() {
    const [name, ...rest] = cockpit.location.path;
    return { name: MAKERS[name] ? name : "tree", id: rest.join("/"), bus: cockpit.location.options.bus === "session" ? "session" : "system" };
}

function go(name, id = "", bus = here().bus) {
    cockpit.location.go([name, ...(id ? id.split("/") : [])], bus === "session" ? { bus } : {});
}

function top() {
    const { name, bus } = here(), proctor = page.proctor;
    const link = ([to, label]) => el("a", {
        href: "#", class: "tab", "aria-current": name === to ? "page" : null,
        onclick: event => { event.preventDefault(); go(to); }
    }, label);
    const choice = el("select", { "aria-label": "Which proctord", onchange: () => go("tree", "", choice.value) },
        el("option", { value: "system" }, "System"), el("option", { value: "session" }, "My session"));
    choice.value = bus;
    document.getElementById("top").replaceChildren(el("nav", { "aria-label": "Views" }, VIEWS.map(link)), choice,
        el("span", { class: "version" }, proctor.loaded ? `proctord ${proctor.manager.Version}${proctor.manager.Durability === "lost" ? ", its journal cannot be written" : ""}` : ""));
}

function empty() {
    const { proctor } = page;
    if (proctor.problem)
        return el("div", { class: "card" }, el("h1", {}, "proctord does not answer"), el("p", {}, proctor.problem));
    if (proctor.owner)
        return el("p", { class: "empty", role: "status" }, "Reading the tree…");
    if (proctor.owner === undefined)
        return el("p", { class: "empty", role: "status" }, "Connecting…");
    return el("div", { class: "card" }, el("h1", {}, "proctord is not running"),
        el("p", {}, here().bus === "session" ? "On your session bus there is none: systemctl --user start proctor-user" : "Start it with: systemctl start proctor"));
}

function show() {
    const { name, id, bus } = here(), view = document.getElementById("view");
    if (bus !== page.bus) {
        page.proctor?.close();
        page.bus = bus;
        connect(bus);
    }
    page.view?.close?.();
    page.view = null;
    top();
    view.replaceChildren();
    view.setAttribute("aria-busy", String(!page.proctor.loaded));
    if (!page.proctor.loaded && name !== "shutdown") {
        view.append(empty());
        return;
    }
    page.view = MAKERS[name](page.proctor, go, id);
    page.view.open(view);
}

function connect(bus) {
    const proctor = new Proctor(bus);
    page.proctor = proctor;
    proctor.bus = bus;
    const on = (what, act) => proctor.addEventListener(what, event => { if (page.proctor === proctor) act(event.detail); });
    on("state", show);
    on("change", change => page.view?.update?.(change));
    on("jobs", () => page.view?.jobs?.());
    on("event", entry => {
        note(entry);
        page.view?.event?.(entry);
    });
}

// As cockpit's shell was set: its choice lies in the storage of the browser.
function dress(style) {
    const chosen = style || localStorage.getItem("shell:style") || "auto";
    const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.classList.toggle("pf-theme-dark", dark);
}

addEventListener("storage", event => { if (event.key === "shell:style") dress(); });
addEventListener("cockpit-style", event => dress(event.detail.style));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dress());
dress();

addEventListener("keydown", event => {
    const search = document.querySelector("input[type=search]");
    if (event.key === "/" && search && !["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement.tagName)) {
        event.preventDefault();
        search.focus();
    }
});
cockpit.addEventListener("locationchanged", show);
cockpit.transport.wait(show);
