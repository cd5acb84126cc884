// What the page knows of proctord: its objects, kept up to date by PropertiesChanged, InterfacesAdded, InterfacesRemoved
// and Event. Nothing is polled. All pages of a session share one connection to the bus, and with it one subscription to
// events: so everyone asks for all of them, and nobody ends it.
import { clock } from "./words.js";

const NAME = "org.proctor1";
export const ROOT = "/org/proctor1";
export const MANAGER = "org.proctor1.Manager";
export const CHILD = "org.proctor1.Child";
export const SUPERVISOR = "org.proctor1.Supervisor";
export const JOB = "org.proctor1.Job";
const PROPERTIES = "org.freedesktop.DBus.Properties";
const OBJECTS = "org.freedesktop.DBus.ObjectManager";
const REMEMBERED = 2000; // events

export const variant = (type, value) => ({ t: type, v: value });

// { key: { t, v } } as { key: v }, at whatever depth.
export function plain(value) {
    if (Array.isArray(value))
        return value.map(plain);
    if (value === null || typeof value !== "object")
        return value;
    if ("v" in value && "t" in value && Object.keys(value).length === 2)
        return plain(value.v);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

export class Proctor extends EventTarget {
    constructor(bus) {
        super();
        this.client = cockpit.dbus(NAME, { bus, superuser: bus === "system" ? "try" : undefined });
        this.changed = new Set();
        this.forget();
        this.listen();
        this.client.addEventListener("owner", (_event, owner) => this.meet(owner));
        this.client.addEventListener("close", (_event, options) => {
            this.problem = options.problem || "the connection is closed";
            this.tell("state");
        });
        cockpit.spawn(["date", "+%s%N"]).then(text => { clock.skew = Number(text) / 1e6 - Date.now(); }, () => {});
    }

    forget() {
        this.objects = new Map(); // path -> interface -> properties
        this.manager = {};
        this.events = [];
        this.jobTimes = new Map();
        this.loaded = false;
        this.waiting = []; // signals that came before the answer
    }

    tell(what, detail) {
        this.dispatchEvent(new CustomEvent(what, { detail }));
    }

    meet(owner) {
        if (owner === this.owner)
            return;
        this.owner = owner;
        this.problem = null;
        this.forget();
        this.tell("state");
        if (owner)
            this.load(owner);
    }

    async load(owner) {
        try {
            await this.call(ROOT, MANAGER, "Subscribe", [{}]);
            const [manager] = await this.call(ROOT, PROPERTIES, "GetAll", [MANAGER]);
            const [objects] = await this.call(ROOT, OBJECTS, "GetManagedObjects", []);
            const [events] = await this.call(ROOT, MANAGER, "QueryEvents", [Math.max(0, plain(manager).Sequence - REMEMBERED), REMEMBERED, {}]);
            if (owner !== this.owner)
                return;
            this.manager = plain(manager);
            for (const [path, interfaces] of Object.entries(objects))
                this.objects.set(path, plain(interfaces));
            const late = this.events;
            this.events = events.map(row => this.entry(row)).concat(late)
                .filter((entry, index, all) => index === 0 || entry.sequence > all[index - 1].sequence);
            this.loaded = true;
            for (const signal of this.waiting.splice(0))
                signal();
            await this.askJobs();
        } catch (error) {
            if (owner !== this.owner)
                return;
            if (/ServiceUnknown|NameHasNoOwner/.test(error.name)) // it has ended meanwhile
                this.owner = null;
            else
                this.problem = error.message || error.problem;
        }
        this.tell("state");
    }

    entry([sequence, realtime, , kind, child, cause, fields]) {
        return { sequence, realtime, kind, child, cause, fields: plain(fields) };
    }

    listen() {
        const later = (match, apply) => this.client.subscribe(match, (path, _interface, _signal, values) => {
            if (this.loaded)
                apply(path, values);
            else if (this.owner)
                this.waiting.push(() => apply(path, values));
        });
        later({ interface: PROPERTIES, member: "PropertiesChanged", path_namespace: ROOT }, (path, [name, changed, gone]) => {
            const properties = name === MANAGER ? this.manager : (this.objects.get(path) || {})[name];
            if (!properties)
                return;
            Object.assign(properties, plain(changed));
            gone.forEach(key => delete properties[key]);
            this.change(path, "Members" in changed);
        });
        later({ interface: OBJECTS, member: "InterfacesAdded", path: ROOT }, (_path, [path, interfaces]) => {
            this.objects.set(path, Object.assign(this.objects.get(path) || {}, plain(interfaces)));
            this.change(path, true);
        });
        later({ interface: OBJECTS, member: "InterfacesRemoved", path: ROOT }, (_path, [path, interfaces]) => {
            const there = this.objects.get(path) || {};
            interfaces.forEach(name => delete there[name]);
            if (!Object.keys(there).some(name => name.startsWith(NAME)))
                this.objects.delete(path);
            this.change(path, true);
        });
        later({ interface: MANAGER, member: "Event", path: ROOT }, (_path, row) => {
            const entry = this.entry(row);
            if (this.events.length && entry.sequence <= this.events.at(-1).sequence)
                return;
            this.events.push(entry);
            if (this.events.length > REMEMBERED * 2)
                this.events.splice(0, REMEMBERED);
            if (entry.kind.startsWith("job-"))
                this.askJobs();
            this.tell("event", entry);
        });
    }

    // Many changes are drawn once.
    change(path, structure) {
        if (path.startsWith(`${ROOT}/job/`))
            this.askJobs();
        this.changed.add(path);
        this.structure ||= structure;
        if (this.scheduled)
            return;
        this.scheduled = setTimeout(() => {
            const detail = { paths: this.changed, structure: this.structure };
            this.changed = new Set();
            this.structure = false;
            this.scheduled = null;
            this.tell("change", detail);
        }, 50);
    }

    // When jobs were queued, started and finished is in no property. One question at a time, after a change.
    async askJobs() {
        if (this.asking) {
            this.askAgain = true;
            return;
        }
        this.asking = true;
        try {
            const [rows] = await this.call(ROOT, MANAGER, "ListJobs", []);
            this.jobTimes = new Map(rows.map(([id, , , , queued, started, finished]) => [id, { queued, started, finished }]));
            this.tell("jobs");
        } catch { /* it is told by the state of the connection */ }
        this.asking = false;
        if (this.askAgain) {
            this.askAgain = false;
            this.askJobs();
        }
    }

    // Interactive: cockpit's own agent of polkit may ask for a password.
    call(path, name, method, values) {
        return new Promise((resolve, reject) =>
            this.client.call(path, name, method, values, { flags: "i" }).then(resolve, reject));
    }

    async get(path, name, property) {
        const [value] = await this.call(path, PROPERTIES, "Get", [name, property]);
        return plain(value);
    }

    of(name) {
        const found = [];
        for (const [path, interfaces] of this.objects)
            if (interfaces[name])
                found.push([path, interfaces[name]]);
        return found;
    }

    one(path, name) {
        return (this.objects.get(path) || {})[name];
    }

    pathOf(id) {
        return this.of(CHILD).find(([, child]) => child.Id === id)?.[0];
    }

    close() {
        this.client.close();
    }
}
