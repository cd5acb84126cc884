// A child: why it is, or is not, running, and what can be done about it.
import { el, button, badge, card, list, table } from "./dom.js";
import { CHILD, SUPERVISOR } from "./bus.js";
import { ago, bytes, childState, duration, event as told, liveness, now, supervisorState, time } from "./words.js";
import { drawFence, drawWindow } from "./window.js";
import { ask } from "./dialog.js";

const LINES = 1000; // of the log
const SIGNALS = [[1, "SIGHUP"], [2, "SIGINT"], [3, "SIGQUIT"], [6, "SIGABRT"], [9, "SIGKILL"], [10, "SIGUSR1"], [12, "SIGUSR2"], [15, "SIGTERM"]];

// The verbs that make sense now come first; those that do not are not offered.
function verbs(child) {
    const held = child.Operation === "paused" || child.Operation === "quarantined";
    return [
        !held && ["Restart", "Starts a new generation once the last process of the old one is gone.", "primary"],
        held && ["Resume", "Ends the hold. A child that is meant to run starts.", "primary"],
        !held && ["Pause", "Stops it, and keeps it stopped until it is resumed, over crashes and restarts of the machine."],
        child.Operation !== "quarantined" && ["Quarantine", "Like Pause, but stronger: a Resume also empties its restart window."],
        child.Attempt && ["Reload", "Sends its reload signal."],
        child.Attempt && ["Kill", "Sends a signal. The consequences are those of any other exit."],
        ["Remove", "Stops it and deletes its record. A manifest that is still there declares it again at the next reload.", "danger"]
    ].filter(Boolean);
}

export class ChildView {
    constructor(proctor, go, id) {
        this.proctor = proctor;
        this.go = go;
        this.id = id;
    }

    open(view) {
        this.path = this.proctor.pathOf(this.id);
        this.head = el("div", { class: "head" });
        this.verbs = el("div", { class: "toolbar", role: "toolbar", "aria-label": "Commands" });
        this.why = el("p", { class: "why" });
        this.facts = el("div");
        this.window = el("div");
        this.fence = el("div");
        this.events = el("div");
        this.log = el("pre", { class: "log", tabindex: "0", "aria-label": "Log" });
        this.manifest = el("pre", { tabindex: "0" });
        view.append(this.head, this.verbs, el("div", { class: "columns" },
            card("Why", this.why, this.facts),
            el("div", {}, card("Restart window", this.window), card("Fence", this.fence))),
        card("Events", this.events), card("Log", this.log),
        card("Manifest", el("details", { ontoggle: event => { if (event.target.open) this.readManifest(); } }, el("summary", {}, "Its complete declaration"), this.manifest)));
        this.draw();
        this.drawEvents();
        this.explain();
        this.follow();
        this.ticking = setInterval(() => this.drawWindow(), 1000); // the window slides; nothing is asked
    }

    close() {
        clearInterval(this.ticking);
        this.tail?.close("cancelled");
    }

    draw() {
        const child = this.proctor.one(this.path, CHILD);
        if (!child) {
            this.head.replaceChildren(el("h1", {}, this.id), el("p", {}, "This child does not exist, or no longer."));
            this.verbs.replaceChildren();
            return;
        }
        this.head.replaceChildren(el("h1", {}, this.id), badge(childState(child)), el("span", { class: "remark" }, child.Description || ""));
        const offered = verbs(child).map(([verb]) => verb).join();
        if (offered !== this.offered) { // a button under the pointer or with the focus stays what it was
            this.offered = offered;
            const focused = this.verbs.contains(document.activeElement) ? document.activeElement.textContent : null;
            this.verbs.replaceChildren(...verbs(child).map(([verb, explain, kind]) =>
                button(`${verb}…`, () => this.command(verb, explain, kind), kind || "secondary")));
            if (focused)
                ([...this.verbs.children].find(one => one.textContent === focused) || this.verbs.firstChild)?.focus();
        }
        const exit = child.LastExit || {}, failure = child.Failure || {}, stale = child.LastStaleReport || {};
        this.facts.replaceChildren(list([
            ["Operation", child.Operation],
            ["Attempt", child.Attempt ? `${child.Attempt} of generation ${child.Generation}, PID ${child.MainPID}` : `none (generation ${child.Generation})`],
            ["Started", child.StartedUSec ? `${time(child.StartedUSec)} (${ago(child.StartedUSec)})` : ""],
            ["Liveness", liveness(child)],
            ["It says", child.StatusText],
            ["Waits for", child.WaitsFor],
            ["Next restart", child.NextRestartUSec ? `${time(child.NextRestartUSec)} (${ago(child.NextRestartUSec)})` : ""],
            ["Stop", child.StopDeadlineUSec ? `${child.StopState.replaceAll("-", " ")}, until ${time(child.StopDeadlineUSec)}` : ""],
            ["Failure", failure.Reason ? `${failure.Phase}: ${failure.Reason}` : ""],
            ["Last exit", exit.Reason ? `${exit.Reason}, ${time(exit.USec)}` : ""],
            ["Left processes", child.LeftProcesses ? String(child.LeftProcesses) : ""],
            ["Stale reports", stale.Count ? `${stale.Count}, the last one ${time(stale.USec)}` : ""],
            ["Requires", (child.Requires || []).join(", ")],
            ["Schedule", child.Schedule ? `${child.Schedule.split("\n").join("; ")}; next ${time(child.NextRunUSec) || "never"}` : ""],
            ["Used", this.used ? `${bytes(this.used.memory)} of memory, ${duration(this.used.cpu / 1000)} of CPU` : ""],
            ["Tags", (child.Tags || []).join(", ")],
            ["Limits not enforced", (child.UnenforcedLimits || []).join(", ")],
            ["Manifest", child.ManifestPath ? `${child.ManifestPath}${child.ManifestPending ? " (newer than what runs)" : ""}` : "added over the bus"]
        ]));
        this.drawWindow();
        this.fence.replaceChildren(drawFence(child));
    }

    drawWindow() {
        const child = this.proctor.one(this.path, CHILD);
        if (!child)
            return;
        this.window.replaceChildren(drawWindow(child, this.of()),
            el("p", {}, `${child.RestartsUsed} of ${child.RestartLimitBurst} counted exits within ${duration(child.RestartLimitIntervalUSec)}` +
                `${child.RestartLimitExhausted ? ": used up" : ""}; ${child.RestartCount} automatic restarts in all`));
    }

    of() {
        return this.proctor.events.filter(entry => entry.child === this.id);
    }

    drawEvents() {
        this.events.replaceChildren(table("Events", ["Time", "What", "", "Command"],
            this.of().slice(-100).reverse().map(entry => {
                const { what, more } = told(entry);
                return [el("time", {}, time(entry.realtime)), what, el("span", { class: "remark" }, more), entry.cause];
            }), "Nothing has happened since proctord started to remember."));
    }

    // The sentence, and what is used, have no signal of their own: they are read after a change.
    async explain() {
        if (this.explaining) {
            this.again = true;
            return;
        }
        this.explaining = true;
        try {
            const sentence = await this.proctor.get(this.path, CHILD, "Explanation");
            this.why.replaceChildren(sentence, el("span", { class: "asof" }, ` as of ${time(now() * 1000)}`));
            this.used = { memory: await this.proctor.get(this.path, CHILD, "MemoryCurrent"), cpu: await this.proctor.get(this.path, CHILD, "CPUUsageNSec") };
            if (!this.used.memory && !this.used.cpu)
                this.used = null;
            this.draw();
        } catch {
            this.why.textContent = "";
        }
        this.explaining = false;
        if (this.again) {
            this.again = false;
            this.explain();
        }
    }

    async readManifest() {
        try {
            this.manifest.textContent = await this.proctor.get(this.path, CHILD, "Manifest");
        } catch (error) {
            this.manifest.textContent = error.message;
        }
    }

    // The log is where the manifest says: a file, or journald. proctorctl knows, and follows it.
    follow() {
        this.tail = cockpit.spawn(["proctorctl", this.proctor.bus === "session" ? "--user" : "--system", "log", "-f", "-n", "200", "--", this.id],
            { superuser: this.proctor.bus === "session" ? undefined : "try", err: "out" });
        let lines = 0;
        this.tail.stream(text => {
            const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
            this.log.append(text);
            lines += text.split("\n").length - 1;
            if (lines > LINES * 2) {
                this.log.textContent = this.log.textContent.split("\n").slice(-LINES).join("\n");
                lines = LINES;
            }
            if (atEnd)
                this.log.scrollTop = this.log.scrollHeight;
        });
        this.tail.catch(error => {
            if (error.problem !== "cancelled" && !this.log.textContent)
                this.log.append(error.problem === "not-found" ? "proctorctl is not installed on this machine" : error.message || "");
        });
    }

    update({ paths }) {
        if (!paths.has(this.path) && this.path)
            return;
        this.path = this.proctor.pathOf(this.id);
        this.draw();
        if (this.path)
            this.explain();
    }

    event(entry) {
        if (entry.child !== this.id || this.drawing)
            return;
        this.drawing = setTimeout(() => {
            this.drawing = null;
            this.drawEvents();
            this.drawWindow();
        }, 100);
    }

    command(verb, explain, kind) {
        const call = (reason, options, fields) => this.proctor.call(this.path, CHILD, verb,
            verb === "Kill" ? [fields.whom, Number(fields.signal), reason, options] : [reason, options]).then(([result]) => result);
        ask({
            title: `${verb} ${this.id}`, verb, explain, dangerous: kind === "danger" || verb === "Quarantine" || verb === "Kill", run: call,
            done: () => verb === "Remove" && this.go("tree"),
            fields: verb === "Kill" ? [
                { name: "signal", label: "Signal", kind: "select", values: SIGNALS, value: 15 },
                { name: "whom", label: "To", kind: "select", values: [["main", "its main process"], ["all", "all of its processes"]] }] : []
        });
    }
}

// A supervisor: its verbs act on all that is below it.
export class SupervisorView {
    constructor(proctor, go, id) {
        this.proctor = proctor;
        this.go = go;
        this.id = id;
    }

    open(view) {
        this.path = this.proctor.of(SUPERVISOR).find(([, supervisor]) => supervisor.Path === this.id)?.[0];
        this.view = el("div");
        view.append(this.view);
        this.draw();
    }

    draw() {
        const supervisor = this.proctor.one(this.path, SUPERVISOR);
        if (!supervisor) {
            this.view.replaceChildren(el("h1", {}, `${this.id}/`), el("p", {}, "This supervisor does not exist, or no longer."));
            return;
        }
        const members = (supervisor.Members || []).map(path => {
            const child = this.proctor.one(path, CHILD), below = this.proctor.one(path, SUPERVISOR);
            const name = child ? child.Id : `${below?.Path}/`;
            return [el("a", { href: "#", onclick: event => { event.preventDefault(); this.go(child ? "child" : "supervisor", child ? child.Id : below.Path); } }, name),
                badge(child ? childState(child) : supervisorState(below || {}))];
        });
        const commands = [["Restart", "Stops every running child below, and starts all together when the last one is gone.", "primary"],
            ["Pause", "Pauses every child below, those that depend on others first."],
            ["Resume", "Resumes every child below; this also ends a meltdown."],
            ["Shutdown", "Removes every child below; the supervisor itself stays.", "danger"]];
        this.view.replaceChildren(
            el("div", { class: "head" }, el("h1", {}, `${this.id}/`), badge(supervisorState(supervisor))),
            el("div", { class: "toolbar", role: "toolbar", "aria-label": "Commands" },
                commands.map(([verb, explain, kind]) => button(`${verb}…`, () => ask({
                    title: `${verb} everything in ${this.id}/`, verb, explain, dangerous: kind === "danger",
                    run: (reason, options) => this.proctor.call(this.path, SUPERVISOR, verb, [reason, options]).then(([result]) => result)
                }), kind || "secondary"))),
            card("Supervisor", list([["Strategy", supervisor.Strategy], ["Escalation", supervisor.Escalation],
                ["Failures", supervisor.FailureLimitBurst ? `${supervisor.FailuresUsed} of ${supervisor.FailureLimitBurst} within ${duration(supervisor.FailureLimitIntervalUSec)}` : "no limit"],
                ["Restarts", `${supervisor.RestartsInFlight} in progress (at most ${supervisor.MaxRestartsInFlight}), ${supervisor.RestartsQueued} queued`]])),
            card("Members", table("Members", ["Child", "State"], members, "It has none.")));
    }

    update({ paths }) {
        if (this.view.contains(document.activeElement) && !paths.has(this.path))
            return;
        this.draw();
    }
}
