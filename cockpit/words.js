// What people read: states, times, outcomes, events.

const MARKS = { good: "●", busy: "◐", waits: "◷", held: "‖", bad: "✕", off: "○" };
const state = (kind, word) => ({ kind, word, mark: MARKS[kind] });

export const clock = { skew: 0 }; // of the machine's clock against the browser's, in milliseconds

export const now = () => Date.now() + clock.skew;

export function duration(usec) {
    const seconds = usec / 1e6;
    if (seconds < 1)
        return `${Math.round(usec / 1000)} ms`;
    if (seconds < 120)
        return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
    if (seconds < 7200)
        return `${Math.round(seconds / 60)} min`;
    if (seconds < 172800)
        return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86400)} days`;
}

export function ago(usec) {
    if (!usec)
        return "never";
    const passed = now() * 1000 - usec;
    return passed >= 0 ? `${duration(passed)} ago` : `in ${duration(-passed)}`;
}

const two = number => String(number).padStart(2, "0");

export function time(usec) {
    if (!usec)
        return "";
    const at = new Date(usec / 1000);
    const day = at.toDateString() === new Date().toDateString() ? "" : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
    return `${day}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function bytes(size) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (size >= 1024 && unit < units.length - 1) {
        size /= 1024;
        unit++;
    }
    return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

const WAITS = {
    fenced: "waits for its old attempt", backoff: "waits before its restart", scope: "waits for its siblings",
    dependency: "waits for what it requires", queued: "waits for its turn"
};

export function childState(child) {
    if (child.Operation === "quarantined")
        return state("bad", "quarantined");
    if (child.Operation === "paused")
        return state("held", "paused");
    if (child.Operation === "removed")
        return state("off", "being removed");
    switch (child.Status) {
    case "ready": return child.HeartbeatStale ? state("bad", "ready, but silent") : state("good", "ready");
    case "running": return child.HeartbeatStale ? state("bad", "running, but silent") : state("busy", "running");
    case "starting": return state("busy", "starting");
    case "cancelling": return state("waits", "stopping");
    }
    if (WAITS[child.WaitsFor])
        return state("waits", WAITS[child.WaitsFor]);
    return hasFailed(child) ? state("bad", "failed") : state("off", "stopped");
}

export function supervisorState(supervisor) {
    switch (supervisor.State) {
    case "running": return state("good", "running");
    case "restarting": return state("busy", "restarting");
    case "melted-down": return state("bad", "melted down");
    case "stopping": return state("waits", "stopping");
    }
    return state("off", supervisor.State || "");
}

export function jobState(job) {
    if (job.State === "finished")
        return job.Result === "succeeded" ? state("good", "succeeded") : state("bad", job.Result);
    return job.State === "running" ? state("busy", "running") : state("waits", "queued");
}

export const hasFailed = child => Object.keys(child.Failure || {}).length > 0;

export function isInTrouble(child) {
    return childState(child).kind === "bad" || child.RestartLimitExhausted === true;
}

export function liveness(child) {
    if (child.HeartbeatStale)
        return "heartbeat overdue";
    return child.Status === "none" ? "" : child.Readiness || "";
}

// What a child wrote with STATUS=, or what it waits for.
export function remark(child) {
    const [how, id] = child.WaitsForDependency || ["", ""];
    if (child.WaitsFor === "dependency" && id)
        return `${how} ${id}`;
    if (child.ManifestPending)
        return "a newer manifest waits for the next start";
    return child.StatusText || "";
}

const named = (what, ids) => ids && ids.length ? `${what} ${ids.slice(0, 20).join(", ")}${ids.length > 20 ? ` and ${ids.length - 20} more` : ""}` : null;

// An outcome as sentences, and whether the command was rejected.
export function outcome(of) {
    const fence = of.GenerationFence, said = [];
    const rejected = fence && ["rejected", "blocked-by-shutdown"].includes(fence.Decision);
    if (of.OperationBefore && of.OperationBefore !== of.OperationAfter)
        said.push(`${of.OperationBefore} → ${of.OperationAfter}`);
    if (fence)
        said.push(fence.Decision.replaceAll("-", " ") + (fence.Conflict ? `: ${fence.Conflict.Reason}` : ""));
    if (of.Reload && of.Reload !== "none")
        said.push(`reload: ${of.Reload}`);
    if (of.Idempotent)
        said.push("nothing had to change");
    if (of.Failure)
        said.push(`failed (${of.Failure.Phase}): ${of.Failure.Reason}`);
    if (of.TimedOut)
        said.push("the time limit expired; the operation continues");
    if (of.Explanation)
        said.push(of.Explanation);
    for (const [key, what] of [["WouldStop", "would stop"], ["WouldStart", "would start"], ["WouldRestart", "would restart"],
        ["added", "added:"], ["in-place", "changed in place:"], ["pending", "changed at the next start:"],
        ["restart", "to be restarted:"], ["removed", "removed:"], ["StillThere", "still there:"]])
        said.push(named(what, of[key]));
    if (of["unchanged"] !== undefined)
        said.push(`unchanged: ${of["unchanged"]}`);
    if (of.State && of.Name)
        said.push(`the job would be ${of.State}`);
    const sentences = said.filter(Boolean);
    if (!sentences.length)
        sentences.push(of.DryRun || of["dry-run"] ? "nothing would be stopped or started" : "done");
    return { rejected: Boolean(rejected || of.Failure), text: sentences.join("; ") };
}

export function event(entry) {
    const said = Object.entries(entry.fields).filter(([key, value]) => value !== "" && !["generation", "attempt"].includes(key))
        .map(([key, value]) => key.endsWith("_usec") ? `${key.slice(0, -5).replaceAll("_", " ")} ${key === "due_usec" ? time(value) : duration(value)}`
            : `${key.replaceAll("_", " ")} ${value === true ? "yes" : value === false ? "no" : value}`);
    return { what: entry.kind.replace(/^child-(control-)?/, "").replaceAll("-", " "), more: said.join(", ") };
}

// An error as a sentence; a refusal says so.
export function complaint(error) {
    const name = error.name || error.problem || "";
    const refused = /AccessDenied|InteractiveAuthorizationRequired|access-denied/.test(name);
    const text = error.message || name || "it failed";
    return { refused, text: refused ? `Refused: ${text}` : text };
}
