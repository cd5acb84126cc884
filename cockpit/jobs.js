// Jobs, and children with a schedule.
import { el, button, badge, card, table } from "./dom.js";
import { CHILD, JOB, MANAGER, ROOT } from "./bus.js";
import { ago, childState, duration, jobState, time } from "./words.js";
import { ask, notice } from "./dialog.js";

function decoded(base64) {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), letter => letter.charCodeAt(0)));
}

export class JobsView {
    constructor(proctor) {
        this.proctor = proctor;
    }

    open(view) {
        this.list = el("div");
        this.output = el("pre", { tabindex: "0", class: "log" });
        this.shown = card("Output", this.output);
        this.shown.hidden = true;
        view.append(el("div", { class: "toolbar" }, button("Run a job…", () => this.run(), "primary")), card("Jobs", this.list), this.shown);
        this.draw();
    }

    draw() {
        const jobs = this.proctor.of(JOB).sort(([, one], [, other]) => other.Id - one.Id).slice(0, 500);
        this.list.replaceChildren(table("Jobs", ["Job", "Name", "State", "Queued", "Took", "Exit code", ""], jobs.map(([path, job]) => {
            const times = this.proctor.jobTimes.get(job.Id) || {};
            return [String(job.Id), el("span", { class: "name" }, job.Name), badge(jobState(job)),
                times.queued ? `${time(times.queued)}` : "",
                times.finished && times.started ? duration(times.finished - times.started) : times.started ? `since ${time(times.started)}` : "",
                job.State === "finished" ? String(job.ExitCode) : "",
                el("span", { class: "buttons" }, button("Output", () => this.read(path, job)),
                    job.State === "finished" ? button("Forget", () => this.forget(path)) : button("Cancel…", () => this.cancel(path, job)))];
        }), "No job is queued or running, and none is remembered."));
    }

    async read(path, job) {
        this.reading = path;
        this.shown.hidden = false;
        try {
            const text = decoded(await this.proctor.get(path, JOB, "Output"));
            this.output.textContent = text || `${job.Name} has written nothing to $PROCTOR_RESULT_FD`;
        } catch (error) {
            this.output.textContent = error.message;
        }
    }

    forget(path) {
        this.proctor.call(path, JOB, "Forget", [{}]).catch(error => notice(error.message, "bad"));
    }

    cancel(path, job) {
        ask({
            title: `Cancel job ${job.Id}, ${job.Name}`, verb: "Cancel the job", dangerous: true,
            run: (reason, options) => this.proctor.call(path, JOB, "Cancel", [reason, options]).then(([result]) => result)
        });
    }

    run() {
        ask({
            title: "Run a job", verb: "Run",
            fields: [{ name: "manifest", label: "Manifest (YAML)", kind: "area", value: "name: \nexec: [/usr/bin/…]\n" }],
            run: (reason, options, fields) => this.proctor.call(ROOT, MANAGER, "RunJob", [fields.manifest, reason, options]).then(([result]) => result),
            plan: (reason, _options, fields) => this.proctor.call(ROOT, MANAGER, "PlanRunJob", [fields.manifest, reason, {}]).then(([result]) => result)
        });
    }

    update({ paths }) {
        if ([...paths].some(path => path.startsWith(`${ROOT}/job/`)))
            this.draw();
        if (this.reading && paths.has(this.reading) && this.proctor.one(this.reading, JOB))
            this.read(this.reading, this.proctor.one(this.reading, JOB));
    }

    jobs() {
        this.draw();
    }
}

export class TimersView {
    constructor(proctor, go) {
        this.proctor = proctor;
        this.go = go;
    }

    open(view) {
        this.list = el("div");
        view.append(card("Timers", this.list));
        this.draw();
    }

    draw() {
        const due = child => child.NextRunUSec || Infinity;
        const timers = this.proctor.of(CHILD).filter(([, child]) => child.Schedule).sort(([, one], [, other]) => due(one) - due(other));
        this.list.replaceChildren(table("Timers", ["Next run", "", "Last run", "Child", "State", "Schedule"], timers.map(([, child]) => [
            time(child.NextRunUSec) || "never", child.NextRunUSec ? ago(child.NextRunUSec) : "", time(child.LastRunUSec) || "never",
            el("a", { href: "#", onclick: event => { event.preventDefault(); this.go("child", child.Id); } }, child.Id),
            badge(childState(child)), el("code", {}, child.Schedule)]), "No child has a schedule."));
    }

    update({ paths }) {
        if ([...paths].some(path => this.proctor.one(path, CHILD)?.Schedule !== ""))
            this.draw();
    }
}
