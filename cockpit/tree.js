// The tree: a row for each supervisor and child, with its state, liveness and limit. Only the rows that change are drawn.
import { el, button, badge } from "./dom.js";
import { CHILD, MANAGER, ROOT, SUPERVISOR } from "./bus.js";
import { childState, isInTrouble, liveness, remark, supervisorState } from "./words.js";
import { ask } from "./dialog.js";

const TOP = `${ROOT}/supervisor/root`;

export const remembered = { folded: new Set(), search: "", which: "all" };

function limit(used, burst, exhausted) {
    if (!burst && !used)
        return "";
    return el("span", { class: `limit ${exhausted ? "bad" : ""}` },
        el("meter", {
            min: "0", max: String(burst || 1), value: String(Math.min(used, burst || 1)), optimum: "0",
            low: String((burst || 1) * 0.5), high: String((burst || 1) * 0.99), "aria-hidden": "true"
        }), ` ${used} of ${burst} used`);
}

export class TreeView {
    constructor(proctor, go) {
        this.proctor = proctor;
        this.go = go;
        this.rows = new Map();
    }

    open(view) {
        this.summary = el("p", { class: "summary" });
        this.search = el("input", {
            type: "search", "aria-label": "Search children", placeholder: "Search", value: remembered.search,
            oninput: () => { remembered.search = this.search.value; this.build(); },
            onkeydown: event => {
                if (event.key === "ArrowDown" || event.key === "Enter")
                    this.focus(this.body.querySelector("tr"));
                else if (event.key === "Escape") {
                    this.search.value = remembered.search = "";
                    this.build();
                }
            }
        });
        this.which = el("select", { "aria-label": "Which children", onchange: () => { remembered.which = this.which.value; this.build(); } },
            [["all", "All"], ["trouble", "In trouble"], ["held", "Held"], ["running", "Running"]].map(([value, label]) => el("option", { value }, label)));
        this.which.value = remembered.which;
        this.body = el("tbody", { onkeydown: event => this.key(event), onclick: event => this.click(event) });
        view.append(el("div", { class: "toolbar" }, this.search, this.which,
            button("Add…", () => this.add()), button("Reload manifests…", () => this.reload())),
        this.summary,
        el("div", { class: "card flush" }, el("table", { class: "tree", role: "treegrid", "aria-label": "Children" },
            el("thead", {}, el("tr", {}, ["Child", "State", "Liveness", "Restarts", "Generation", ""].map((head, index) =>
                el("th", { scope: "col", class: `c${index}` }, head || el("span", { class: "hidden" }, "Remark"))))),
            this.body)));
        this.build();
    }

    shows(child) {
        if (remembered.search && !child.Id.toLowerCase().includes(remembered.search.toLowerCase()))
            return false;
        switch (remembered.which) {
        case "trouble": return isInTrouble(child);
        case "held": return child.Operation === "paused" || child.Operation === "quarantined";
        case "running": return child.Status !== "none";
        }
        return true;
    }

    build() {
        const focused = document.activeElement?.dataset?.path;
        const rows = [];
        const visit = (path, level) => {
            const supervisor = this.proctor.one(path, SUPERVISOR), child = this.proctor.one(path, CHILD);
            if (child) {
                if (this.shows(child))
                    rows.push(this.row(path, level));
                return;
            }
            if (!supervisor)
                return;
            const at = rows.length, folded = remembered.folded.has(path);
            if (level > 0)
                rows.push(this.row(path, level));
            const members = supervisor.Members || [];
            if (!folded || remembered.search || remembered.which !== "all")
                members.forEach(member => visit(member, level + 1));
            if (level > 0 && rows.length === at + 1 && (remembered.search || remembered.which !== "all"))
                rows.pop();
        };
        const before = this.rows;
        this.rows = new Map();
        this.kept = before;
        visit(TOP, 0);
        this.kept = null;
        this.body.replaceChildren(...rows);
        if (!rows.length)
            this.body.append(el("tr", {}, el("td", { colspan: "6", class: "empty" },
                this.proctor.of(CHILD).length ? "No child fits." : "No children yet. Add one, or put manifests into /etc/proctor/children.d and reload.")));
        this.aim(focused ? this.rows.get(focused) : null);
        if (focused && this.rows.get(focused))
            this.rows.get(focused).focus();
        this.count();
    }

    // A row that is there already is kept: its focus, its selection.
    row(path, level) {
        let row = this.kept?.get(path);
        if (!row) {
            row = el("tr", { role: "row", tabindex: "-1", "data-path": path },
                Array.from({ length: 6 }, (_, index) => el("td", { role: "gridcell", class: `c${index}` })));
            this.fill(row, path);
        }
        row.setAttribute("aria-level", String(Math.max(level, 1)));
        row.className = `level-${Math.min(Math.max(level, 1), 6)}`;
        if (this.proctor.one(path, SUPERVISOR)) {
            row.setAttribute("aria-expanded", String(!remembered.folded.has(path)));
            row.classList.add("scope");
        }
        this.rows.set(path, row);
        return row;
    }

    fill(row, path) {
        const child = this.proctor.one(path, CHILD), supervisor = this.proctor.one(path, SUPERVISOR);
        const cells = child ? [
            [el("a", { href: "#", tabindex: "-1" }, child.Name)],
            [badge(childState(child))],
            [liveness(child)],
            [limit(child.RestartsUsed, child.RestartLimitBurst, child.RestartLimitExhausted)],
            [String(child.Generation)],
            [el("span", { class: "remark" }, remark(child))]
        ] : [
            [el("span", { class: "fold", "aria-hidden": "true" }), el("a", { href: "#", tabindex: "-1" }, `${supervisor.Path.split("/").at(-1)}/`)],
            [badge(supervisorState(supervisor))],
            [""],
            [limit(supervisor.FailuresUsed, supervisor.FailureLimitBurst, supervisor.FailuresRemaining === 0 && supervisor.FailureLimitBurst > 0)],
            [""],
            [el("span", { class: "remark" }, `${supervisor.Strategy}, ${(supervisor.Members || []).length} members`)]
        ];
        cells.forEach((cell, index) => row.children[index].replaceChildren(...cell));
    }

    count() {
        const children = this.proctor.of(CHILD).map(([, child]) => child);
        const running = children.filter(child => child.Status !== "none").length;
        const trouble = children.filter(isInTrouble).length;
        this.summary.textContent = `${children.length} ${children.length === 1 ? "child" : "children"}, ${running} running` +
            `${trouble ? `, ${trouble} in trouble` : ""}`;
    }

    update({ paths, structure }) {
        if (structure || remembered.which !== "all") {
            for (const path of paths) // what is new in a row that is kept
                if (this.rows.has(path) && (this.proctor.one(path, CHILD) || this.proctor.one(path, SUPERVISOR)))
                    this.fill(this.rows.get(path), path);
            this.build();
            return;
        }
        for (const path of paths)
            if (this.rows.has(path))
                this.fill(this.rows.get(path), path);
        this.count();
    }

    // One row at a time can be reached with Tab; the arrows move within.
    aim(row) {
        const to = row || this.body.querySelector("tr[data-path]");
        this.body.querySelector("tr[tabindex='0']")?.setAttribute("tabindex", "-1");
        to?.setAttribute("tabindex", "0");
    }

    focus(row) {
        if (!row?.dataset.path)
            return;
        this.aim(row);
        row.focus();
    }

    fold(path, folded) {
        if (folded)
            remembered.folded.add(path);
        else
            remembered.folded.delete(path);
        this.build();
    }

    visit(path) {
        const supervisor = this.proctor.one(path, SUPERVISOR), child = this.proctor.one(path, CHILD);
        if (child)
            this.go("child", child.Id);
        else if (supervisor)
            this.go("supervisor", supervisor.Path);
    }

    click(event) {
        const row = event.target.closest("tr[data-path]");
        if (!row)
            return;
        event.preventDefault();
        const path = row.dataset.path;
        if (event.target.closest(".fold"))
            this.fold(path, !remembered.folded.has(path));
        else if (event.target.closest("a"))
            this.visit(path);
        else
            this.focus(row);
    }

    key(event) {
        const row = event.target.closest("tr[data-path]"), path = row?.dataset.path;
        const is = this.proctor.one(path, SUPERVISOR);
        const actions = {
            ArrowDown: () => this.focus(row.nextElementSibling),
            ArrowUp: () => this.focus(row.previousElementSibling),
            Home: () => this.focus(this.body.firstElementChild),
            End: () => this.focus(this.body.lastElementChild),
            ArrowLeft: () => is && !remembered.folded.has(path) ? this.fold(path, true) : this.focus(this.above(row)),
            ArrowRight: () => is && remembered.folded.has(path) ? this.fold(path, false) : null,
            Enter: () => this.visit(path)
        };
        if (!row || !actions[event.key])
            return;
        event.preventDefault();
        actions[event.key]();
    }

    above(row) {
        const level = Number(row.getAttribute("aria-level"));
        let up = row.previousElementSibling;
        while (up && Number(up.getAttribute("aria-level")) >= level)
            up = up.previousElementSibling;
        return up;
    }

    add() {
        const call = method => (reason, options, fields) =>
            this.proctor.call(ROOT, MANAGER, method, [fields.manifest, reason, options]).then(([result]) => result);
        ask({
            title: "Add a child", verb: "Add", run: call("AddChild"),
            plan: (reason, _options, fields) => call("PlanAddChild")(reason, {}, fields),
            fields: [{ name: "manifest", label: "Manifest (YAML)", kind: "area", value: "name: \nexec: [/usr/bin/…]\n" }]
        });
    }

    reload() {
        ask({
            title: "Reload the manifests", verb: "Reload", explain: "Reads the manifests again and applies all changes, or none.",
            fields: [{ name: "restart", label: "Children whose process would change", kind: "select", values: [["", "change at their next start"], ["yes", "are restarted"]] }],
            run: (reason, options, fields) => this.proctor.call(ROOT, MANAGER, "Reload",
                [reason, fields.restart ? { ...options, restart: { t: "b", v: true } } : options]).then(([result]) => result)
        });
    }
}
