// The shutdown of the tree, and its report: live from events, complete from the reply.
import { el, button, card, list, table } from "./dom.js";
import { MANAGER, ROOT, variant } from "./bus.js";
import { ask } from "./dialog.js";

export const report = { rows: new Map(), by: "", reason: "", complete: false }; // outlives proctord, which ends afterwards

const RESULTS = { "child-shutdown-graceful": "graceful", "child-shutdown-aborted": "aborted", "child-shutdown-late-report": "late-report" };

export function note(entry) {
    if (entry.kind === "shutdown-requested") {
        report.rows.clear();
        report.by = entry.fields.by;
        report.reason = entry.fields.reason;
        report.complete = false;
    } else if (RESULTS[entry.kind])
        report.rows.set(entry.child, { Result: entry.fields.result || RESULTS[entry.kind], ...report.rows.get(entry.child) });
    else if (entry.kind === "shutdown-completed")
        report.complete = true;
}

let shown; // the view that is open, or was last

export class ShutdownView {
    constructor(proctor) {
        this.proctor = proctor;
    }

    open(view) {
        this.view = el("div");
        view.append(this.view);
        shown = this;
        this.draw();
    }

    draw() {
        const phase = this.proctor.owner ? this.proctor.manager.ShutdownPhase || "idle" : "completed";
        const idle = phase === "idle";
        this.view.replaceChildren(
            el("div", { class: "toolbar" }, this.proctor.owner && button(idle ? "Shut down…" : "Wait for the report…", () => this.shutDown(), "danger")),
            card("Shutdown", idle && !report.by ? el("p", {}, "The tree is not shutting down.")
                : list([["Phase", phase], ["By", report.by], ["Reason", report.reason]])),
            report.rows.size || report.by ? card("Report", table("Report", ["Child", "Result", "Exit", "Generation", "Attempt", "Reason"],
                [...report.rows].map(([id, row]) => [id, row.Result, row.Exit || "", String(row.Generation ?? ""), String(row.Attempt ?? ""), row.Reason || ""]),
                "No row is decided yet.")) : "");
    }

    shutDown() {
        ask({
            title: "Shut the tree down", verb: "Shut down", dangerous: true,
            explain: "Stops every child in reverse order; proctord ends afterwards. It stays down until it is started again.",
            fields: [{ name: "within", label: "Kill what is left after (seconds; empty: each child's own time)", kind: "text" }],
            run: async (reason, options, fields) => {
                const within = Number(fields.within);
                if (!(within >= 0))
                    throw new Error(`expected a number of seconds, got "${fields.within}"`);
                const limit = within ? { "timeout-usec": variant("t", Math.round(within * 1e6)) } : {};
                const wait = options["dry-run"] ? {} : { wait: variant("b", true) };
                const [result] = await this.proctor.call(ROOT, MANAGER, "Shutdown", [reason, { ...options, ...limit, ...wait }]);
                return result;
            },
            done: result => {
                report.by = result.RequestedBy || report.by;
                report.reason = result.Reason || report.reason;
                for (const row of result.Report || [])
                    report.rows.set(row.ChildId, row);
                report.complete = true;
                shown.draw(); // the page may have opened another view when proctord ended
            }
        });
    }

    update({ paths }) {
        if (paths.has(ROOT))
            this.draw();
    }

    event(entry) {
        if (entry.kind.includes("shutdown"))
            this.draw();
    }

    jobs() {}
}
