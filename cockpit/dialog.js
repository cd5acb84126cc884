// A command: its reason, its dry run, and what became of it. A refusal is shown as one, and so is a rejection.
import { el, button } from "./dom.js";
import { plain, variant } from "./bus.js";
import { complaint, outcome } from "./words.js";

export function notice(text, kind) {
    const box = el("div", { class: `notice ${kind}` }, el("span", {}, text),
        button("×", () => box.remove(), "plain", { "aria-label": "Dismiss" }));
    const notices = document.getElementById("notices");
    notices.append(box);
    while (notices.children.length > 4)
        notices.firstChild.remove();
}

// One outcome, a list of them (a scope), or a path.
function tell(result) {
    if (typeof result === "string")
        return { rejected: false, text: "done" };
    if (!Array.isArray(result))
        return outcome(result);
    const all = result.map(one => ({ id: one.ChildId, ...outcome(one) }));
    return { rejected: all.some(one => one.rejected), text: all.map(one => `${one.id}: ${one.text}`).join("\n") || "no child is affected" };
}

// command: {
//   title, verb, dangerous, explain,
//   fields: [{ name, label, kind: "text" | "area" | "select", values, value, required }],
//   run(reason, options, fields) and plan(reason, options, fields) -> what the bus answered, done(result)
// }
export function ask(command) {
    const before = document.activeElement;
    const reason = el("input", { type: "text", id: "reason", required: true, autocomplete: "off", maxlength: "1000" });
    const fields = (command.fields || []).map(field => {
        const input = field.kind === "area" ? el("textarea", { id: field.name, rows: "10", spellcheck: "false" })
            : field.kind === "select" ? el("select", { id: field.name }, field.values.map(([value, label]) => el("option", { value }, label)))
                : el("input", { type: "text", id: field.name, autocomplete: "off" });
        input.value = field.value ?? input.value;
        return { ...field, input };
    });
    const answer = el("div", { class: "answer", role: "status" });
    const values = () => Object.fromEntries(fields.map(field => [field.name, field.input.value]));
    const close = () => {
        dialog.close();
        dialog.remove();
        before?.focus();
    };
    const show = (text, kind) => {
        answer.className = `answer ${kind}`;
        answer.textContent = text;
    };
    const carry = async dry => {
        if (!reason.value.trim()) {
            show("Every command needs a reason: it is kept with the child and in the audit.", "bad");
            reason.focus();
            return;
        }
        const options = dry ? { "dry-run": variant("b", true) } : {};
        show(dry ? "Asking what would happen…" : "Asked…", "");
        doit.disabled = trial.disabled = true;
        try {
            const result = plain(await (dry && command.plan ? command.plan : command.run)(reason.value, options, values()));
            const told = tell(result);
            if (dry || told.rejected)
                show(`${dry ? "Dry run, nothing was done. " : ""}${told.rejected ? "Rejected: " : ""}${told.text}`, told.rejected ? "bad" : "good");
            else {
                close();
                notice(`${command.title}: ${told.text}`, "good");
                command.done?.(result);
            }
        } catch (error) {
            const { text } = complaint(error);
            show(text, "bad");
        }
        doit.disabled = trial.disabled = false;
    };
    const doit = el("button", { type: "submit", class: `button ${command.dangerous ? "danger" : "primary"}` }, command.verb);
    const trial = button("Dry run", () => carry(true));
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", oncancel: event => { event.preventDefault(); close(); } },
        el("form", { onsubmit: event => { event.preventDefault(); carry(false); } },
            el("h2", { id: "dialog-title" }, command.title),
            command.explain ? el("p", {}, command.explain) : null,
            fields.map(field => [el("label", { for: field.name }, field.label), field.input]),
            el("label", { for: "reason" }, "Reason"), reason,
            answer,
            el("div", { class: "buttons" }, doit, trial, button("Cancel", close, "link"))));
    document.body.append(dialog);
    dialog.showModal();
    (fields[0]?.input || reason).focus();
}
